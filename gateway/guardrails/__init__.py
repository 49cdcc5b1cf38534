"""What may go in and out: policies, detectors, masking, streaming."""
