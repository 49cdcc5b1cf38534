"""What both pages share: the server around them, the frame, browser components, and words for jobs and errors."""
