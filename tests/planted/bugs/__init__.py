"""The bugs themselves, a module for each group of laws."""
