"""`python -m increstore` is the same program as `increstore`."""

from increstore.cli import main

if __name__ == "__main__":
    main()
