-- The withdrawal of an offered load as stored facts, so that a crash in the middle of it loses nothing.

-- Set before slot 1 of an offer is blanked: from here on a blank slot 1 means "withdrawn by us", not "never armed".
alter table plc_load add column withdraw_since timestamptz;

-- This load replaces an offer that was withdrawn: it may be armed only while the ready word still says that nothing was taken.
alter table plc_load add column after_withdrawal boolean not null default false;
