"""Build what consumers read (pure) and apply it: one file per kind of object."""
