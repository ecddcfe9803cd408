"""One folder per dataset or corpus; the folder's name is its id in the catalogue."""
