"""Import and export formats: lines to listings and back, no files and no database."""
