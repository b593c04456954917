"""The questions that are shell scripts on a running machine, read from files instead."""
