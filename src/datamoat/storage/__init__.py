"""Bytes on disk: whole files, the lake, the published file, snapshots."""
