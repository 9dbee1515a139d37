-- The fence also compares when the line was taken: a failover that lost the last commits gives an epoch a second time.

-- Beside the one with two arguments, which the version before this one calls.
create function assert_epoch(wanted_line text, wanted_epoch bigint, wanted_since timestamptz) returns void language plpgsql as $$
declare
    present bigint;
    taken timestamptz;
begin
    -- The share lock keeps a new holder from taking the line before this transaction ends.
    select epoch, since into present, taken from line where line = wanted_line for share;
    if present is distinct from wanted_epoch then
        raise exception 'line % was taken by another process (epoch % is now %)', wanted_line, wanted_epoch, present using errcode = 'BB001';
    end if;
    if taken is distinct from wanted_since then
        raise exception 'line % was taken by another process (epoch % was given again, at %)', wanted_line, wanted_epoch, taken using errcode = 'BB001';
    end if;
end $$;
