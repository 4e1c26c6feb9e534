"""What happens to one run folder, one job a file; the public names are those of `autobeta`."""
