"""The command `magneto`: one file for each group of sub-commands; see :mod:`.main`."""
