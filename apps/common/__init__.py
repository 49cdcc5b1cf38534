"""What both applications share: gateway client, jobs, languages, pages."""
