"""Runs untrusted code in isolation: no network, no files of this machine, no other processes."""
