"""`python -m mailmum`: the command line."""

from mailmum.cli.main import main

main()
