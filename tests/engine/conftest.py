"""What runs in processes of its own is not collected with the rest."""

collect_ignore = ["bad_input.py", "compiling.py"]
