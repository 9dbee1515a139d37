-- What the order watch compares with, and what it has told.

-- What the order asked for when its recipe was made: {"quantity", "uom", "moves": {move id: [quantity, uom]}}. Null: from before,
-- not compared.
alter table mo_batch add column plan jsonb;
-- The last thing that happened to the order in Odoo and what was done about it ("done:alert"), so that it is done once.
alter table mo_batch add column odoo_event text not null default '';

-- Before an answer of the order watch is applied. Locks the batch, then its open deliveries, so that no attempt for the order
-- begins until that is committed. The answer counts only for the batch as it was when Odoo was asked, and only if no attempt for
-- the order was open or begun since then: that of an unknown end is open until `unclear_wait` after its start.
create function assert_not_overtaken(wanted_batch bigint, wanted_state text, wanted_version int, asked_at timestamptz, last_attempt bigint, unclear_wait interval)
returns void language plpgsql as $$
declare
    b mo_batch%rowtype;
begin
    select * into b from mo_batch where id = wanted_batch for update;
    -- The figures of a running batch move on all the time.
    if not found or b.state <> wanted_state or (b.version <> wanted_version and wanted_state <> 'running') then
        raise exception 'batch % is not as it was', wanted_batch using errcode = 'BB004';
    end if;
    perform from odoo_outbox where odoo_db = b.odoo_db and odoo_id = b.odoo_id and state in ('due', 'sending', 'parked') order by id for update;
    if exists (select from odoo_attempt a where a.odoo_db = b.odoo_db and a.odoo_id = b.odoo_id
               and (a.id > last_attempt or a.started_at >= asked_at or a.ended_at >= asked_at or (a.outcome is null and a.started_at + unclear_wait > asked_at))) then
        raise exception 'an attempt for order % of % has overtaken the answer', b.odoo_id, b.odoo_db using errcode = 'BB004';
    end if;
end $$;
