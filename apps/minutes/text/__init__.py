"""From transcript to minutes: rules find and resolve, the model only rewrites, titles and sorts, code verifies."""
