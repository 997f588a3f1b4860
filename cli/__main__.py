"""`python -m cli`: what the launcher runs."""

from cli.main import main

if __name__ == "__main__":  # not in the child processes of a command
    main()
