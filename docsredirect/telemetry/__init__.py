"""What the service counts and says of itself. Answers nobody: `docsredirect.ops` shows it, the faces feed it."""
