"""The proposals app in the browser: brief, storyline, slides, review, download."""
