"""The words that everything else speaks: signals and stages, problem codes, projects and keys, errors."""
