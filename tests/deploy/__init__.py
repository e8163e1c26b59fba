"""What is shipped in deploy/: read as data, held to what the code does, and used where that can be done here."""
