"""Making the models: data, training, judging. Nothing here is needed to serve."""
