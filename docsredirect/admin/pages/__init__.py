"""The pages of the admin side, for people with a browser: server-rendered, whole without a script. They ask the same
services as the API; no rule lives here."""
