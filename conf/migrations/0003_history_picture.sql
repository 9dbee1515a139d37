-- The last picture that was accepted of an archived batch: what its slot shows later is compared with it. Null: from before.
alter table mo_histories add column raw jsonb;
