"""increstore restores a full backup and its chain of incrementals into sharded tables."""

__version__ = "0.1.0"
