"""What a query's workspace is made from: a directory, an archive, a repository."""
