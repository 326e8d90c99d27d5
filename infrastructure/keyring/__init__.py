"""Data keys of data subjects, kept outside the event tables: destroying a key erases what it sealed."""
