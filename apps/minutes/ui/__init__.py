"""The minutes app in the browser: upload or record, watch, read with the evidence, edit, download."""
