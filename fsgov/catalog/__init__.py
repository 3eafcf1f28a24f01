"""Every SQL statement of fsgov. `schema.sql` says what the rows mean; here is who asks for what.

`connection` reaches PostgreSQL; `migrate` and `people` are for its administrator; `ship`, `keep` and `govern`
for the services, one login each; `desk` for people.
"""
