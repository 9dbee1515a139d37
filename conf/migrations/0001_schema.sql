-- The schema of batchbridge (design section 8). Every table carries its line; kg are numeric(14,3); times are timestamptz.

create table line (
    line        text primary key,
    host        text not null,
    port        int not null,
    unit_id     int not null,
    epoch       bigint not null default 0,
    holder      text not null default '',
    since       timestamptz not null default now(),
    paused      boolean not null default false,
    paused_why  text not null default ''
);

-- Fencing: whoever writes for a line proves that nobody has taken it since.
create function assert_epoch(wanted_line text, wanted_epoch bigint) returns void language plpgsql as $$
declare
    present bigint;
begin
    -- The share lock keeps a new holder from taking the line before this transaction ends.
    select epoch into present from line where line = wanted_line for share;
    if present is distinct from wanted_epoch then
        raise exception 'line % was taken by another process (epoch % is now %)', wanted_line, wanted_epoch, present using errcode = 'BB001';
    end if;
end $$;

create table setting (
    line    text not null,
    name    text not null,
    value   text not null,
    who     text not null,
    at      timestamptz not null default now(),
    primary key (line, name)
);

create table plc_load (
    id          bigint generated always as identity primary key,
    line        text not null,
    number      int not null,
    state       text not null check (state in ('staged', 'arming', 'taken', 'withdrawn')),
    images      jsonb not null,
    created_at  timestamptz not null default now(),
    changed_at  timestamptz not null default now(),
    unique (line, number)
);
create unique index plc_load_open on plc_load (line) where state in ('staged', 'arming');

create table mo_batch (
    id                  bigint generated always as identity primary key,
    line                text not null,
    odoo_db             text not null,
    odoo_id             bigint not null,
    odoo_create_date    timestamptz not null,
    mo_id               text not null,
    order_key           text not null,
    run                 int not null default 1,
    batch_no            int not null,
    load                bigint not null references plc_load (id),
    state               text not null check (state in ('queued', 'loading', 'loaded', 'running', 'completed', 'cancelling', 'held', 'lost', 'parked')),
    reason              text not null default '',
    disarmed            boolean not null default false,
    bom_id              text not null default '',
    finished_goods      text not null default '',
    quantity_goods      numeric(14,3) not null,
    actual_weight_quantity_finished_goods numeric(14,3) not null default 0,
    status_manufacturing boolean not null default false,
    status_operation    boolean not null default false,
    update_odoo         boolean not null default false,
    done_marked         boolean not null default false,
    version             int not null default 0,
    raw                 jsonb,
    last_read_from_plc  timestamptz,
    last_changed_at     timestamptz,
    completed_at        timestamptz,
    created_at          timestamptz not null default now()
);
create unique index mo_batch_slot on mo_batch (line, batch_no) where state in ('queued', 'loading', 'loaded', 'running');
create unique index mo_batch_order on mo_batch (odoo_db, odoo_id, odoo_create_date);

create table mo_batch_consumption (
    batch_id    bigint not null references mo_batch (id) on delete cascade,
    line        text not null,
    silo        int not null,
    planned     numeric(14,3) not null default 0,
    actual      numeric(14,3) not null default 0,
    primary key (batch_id, silo)
);

create table mo_histories (
    id                  bigint generated always as identity primary key,
    line                text not null,
    batch_id            bigint not null,
    odoo_db             text not null,
    odoo_id             bigint not null,
    odoo_create_date    timestamptz not null,
    mo_id               text not null,
    order_key           text not null,
    run                 int not null,
    batch_no            int not null,
    load                bigint not null,
    status              text not null check (status in ('completed', 'cancelled', 'failed', 'discarded', 'reset')),
    notes               text not null default '',
    still_open          boolean not null default false,
    bom_id              text not null,
    finished_goods      text not null,
    quantity_goods      numeric(14,3) not null,
    actual_weight_quantity_finished_goods numeric(14,3) not null,
    status_manufacturing boolean not null,
    status_operation    boolean not null,
    update_odoo         boolean not null,
    done_marked         boolean not null,
    last_read_from_plc  timestamptz,
    last_changed_at     timestamptz,
    completed_at        timestamptz,
    created_at          timestamptz not null,
    archived_at         timestamptz not null default now(),
    unique (odoo_db, odoo_id, odoo_create_date, run)
);
create index mo_histories_key on mo_histories (line, order_key);

create index mo_histories_batch on mo_histories (batch_id);
create index mo_histories_still_open on mo_histories (odoo_db) where still_open;

-- For staging a load. After the insert of the load, which waits for whoever stages on this line: no batch may be left in its slots.
create function assert_line_free(wanted_line text) returns void language plpgsql as $$
begin
    if exists (select from mo_batch where line = wanted_line and state in ('queued', 'loading', 'loaded', 'running')) then
        raise exception 'line % has unfinished batches', wanted_line using errcode = 'BB002';
    end if;
end $$;

-- After the insert of a batch, which waits for whoever archives this very order: this sees that archive.
create function assert_not_archived(wanted_db text, wanted_id bigint, wanted_created timestamptz) returns void language plpgsql as $$
begin
    if exists (select from mo_histories where odoo_db = wanted_db and odoo_id = wanted_id and odoo_create_date = wanted_created and status <> 'reset') then
        raise exception 'order % of % is in the history', wanted_id, wanted_db using errcode = 'BB003';
    end if;
end $$;

create table mo_histories_consumption (
    history_id  bigint not null references mo_histories (id) on delete cascade,
    line        text not null,
    silo        int not null,
    planned     numeric(14,3) not null,
    actual      numeric(14,3) not null,
    primary key (history_id, silo)
);

create table equipment_failure (
    id              bigint generated always as identity primary key,
    line            text not null,
    equipment_code  text not null,
    description     text not null,
    failure_date    timestamptz not null,
    time_source     text not null,
    raw             jsonb,
    source          text not null default 'plc' check (source in ('plc', 'api')),
    severity        text not null default 'high',
    odoo_request_id bigint,
    acknowledged_at timestamptz,
    created_at      timestamptz not null default now()
);

create table odoo_outbox (
    id          bigint generated always as identity primary key,
    line        text not null,
    odoo_db     text not null,
    odoo_id     bigint not null,   -- 0: not about an order
    mo_id       text not null default '',
    batch_id    bigint,
    kind        text not null check (kind in ('finish', 'cancel', 'maintenance_request', 'note', 'webhook', 'consumption')),
    payload     jsonb not null default '{}',
    finish_values jsonb,
    version     int not null default 0,
    state       text not null default 'due' check (state in ('due', 'sending', 'sent', 'parked', 'discarded')),
    tries       int not null default 0,
    next_at     timestamptz not null default now(),
    last_error  text not null default '',
    created_at  timestamptz not null default now(),
    sent_at     timestamptz
);
create unique index odoo_outbox_open on odoo_outbox (odoo_db, odoo_id, kind)
    where kind in ('finish', 'cancel', 'consumption') and state in ('due', 'sending', 'parked');
create index odoo_outbox_due on odoo_outbox (next_at) where state in ('due', 'sending');
create index odoo_outbox_batch on odoo_outbox (batch_id);

create table odoo_attempt (
    id          bigint generated always as identity primary key,
    line        text not null,
    outbox_id   bigint not null references odoo_outbox (id) on delete cascade,
    odoo_db     text not null,
    odoo_id     bigint not null,
    batch_id    bigint,
    version     int not null,
    call        text not null,
    "values"    jsonb not null,
    epoch       bigint not null,
    started_at  timestamptz not null default now(),
    ended_at    timestamptz,
    outcome     text check (outcome in ('ok', 'rejected', 'not_sent')),
    answer      text not null default ''
);
create index odoo_attempt_unclear on odoo_attempt (odoo_db, odoo_id, started_at) where outcome is null;
create index odoo_attempt_outbox on odoo_attempt (outbox_id);
create index odoo_attempt_batch on odoo_attempt (batch_id);

create table plc_duty (
    id          bigint generated always as identity primary key,
    line        text not null,
    slot        int not null,
    mo_id       text not null,
    batch_id    bigint not null,
    since       timestamptz not null default now(),
    done_at     timestamptz,
    how         text not null default ''
);
create unique index plc_duty_open on plc_duty (line, slot, mo_id) where done_at is null;

create table order_refusal (
    line        text not null,
    odoo_db     text not null,
    odoo_id     bigint not null,
    mo_id       text not null,
    reason      text not null,
    first_at    timestamptz not null default now(),
    last_at     timestamptz not null default now(),
    retry_at    timestamptz not null,
    primary key (odoo_db, odoo_id)
);

create table journal (
    id          bigint generated always as identity primary key,
    at          timestamptz not null default now(),
    line        text not null,
    batch_id    bigint,
    odoo_db     text,
    odoo_id     bigint,
    mo_id       text not null default '',
    what        text not null,
    "values"    jsonb,
    answer      text not null default '',
    who         text not null default 'batchbridge',
    count       int not null default 1
);
create index journal_batch on journal (batch_id);

create table alert (
    id          bigint generated always as identity primary key,
    line        text not null,
    kind        text not null,
    subject     text not null,
    text        text not null,
    state       text not null default 'open' check (state in ('open', 'acknowledged', 'resolved')),
    first_at    timestamptz not null default now(),
    last_at     timestamptz not null default now(),
    count       int not null default 1,
    resolved_at timestamptz
);
create unique index alert_open on alert (line, kind, subject) where state <> 'resolved';

create table task_run (
    id          bigint generated always as identity primary key,
    line        text not null,
    task        text not null,
    current     boolean not null,
    started_at  timestamptz not null,
    ended_at    timestamptz not null,
    outcome     text not null,
    changed     boolean not null,
    asked_for   boolean not null,
    detail      text not null
);
create unique index task_run_current on task_run (line, task) where current;
create index task_run_old on task_run (ended_at) where not current;

create view v_mo_batch as
select b.*,
    c.consumption_silo_a, c.consumption_silo_b, c.consumption_silo_c, c.consumption_silo_d, c.consumption_silo_e, c.consumption_silo_f,
    c.consumption_silo_g, c.consumption_silo_h, c.consumption_silo_i, c.consumption_silo_j, c.consumption_silo_k, c.consumption_silo_l,
    c.consumption_silo_m, c.consumption_lq114, c.consumption_lq115,
    c.actual_consumption_silo_a, c.actual_consumption_silo_b, c.actual_consumption_silo_c, c.actual_consumption_silo_d,
    c.actual_consumption_silo_e, c.actual_consumption_silo_f, c.actual_consumption_silo_g, c.actual_consumption_silo_h,
    c.actual_consumption_silo_i, c.actual_consumption_silo_j, c.actual_consumption_silo_k, c.actual_consumption_silo_l,
    c.actual_consumption_silo_m, c.actual_consumption_lq114, c.actual_consumption_lq115
from mo_batch b
left join lateral (
    select
        sum(x.planned) filter (where x.silo = 101) as consumption_silo_a,
        sum(x.planned) filter (where x.silo = 102) as consumption_silo_b,
        sum(x.planned) filter (where x.silo = 103) as consumption_silo_c,
        sum(x.planned) filter (where x.silo = 104) as consumption_silo_d,
        sum(x.planned) filter (where x.silo = 105) as consumption_silo_e,
        sum(x.planned) filter (where x.silo = 106) as consumption_silo_f,
        sum(x.planned) filter (where x.silo = 107) as consumption_silo_g,
        sum(x.planned) filter (where x.silo = 108) as consumption_silo_h,
        sum(x.planned) filter (where x.silo = 109) as consumption_silo_i,
        sum(x.planned) filter (where x.silo = 110) as consumption_silo_j,
        sum(x.planned) filter (where x.silo = 111) as consumption_silo_k,
        sum(x.planned) filter (where x.silo = 112) as consumption_silo_l,
        sum(x.planned) filter (where x.silo = 113) as consumption_silo_m,
        sum(x.planned) filter (where x.silo = 114) as consumption_lq114,
        sum(x.planned) filter (where x.silo = 115) as consumption_lq115,
        sum(x.actual) filter (where x.silo = 101) as actual_consumption_silo_a,
        sum(x.actual) filter (where x.silo = 102) as actual_consumption_silo_b,
        sum(x.actual) filter (where x.silo = 103) as actual_consumption_silo_c,
        sum(x.actual) filter (where x.silo = 104) as actual_consumption_silo_d,
        sum(x.actual) filter (where x.silo = 105) as actual_consumption_silo_e,
        sum(x.actual) filter (where x.silo = 106) as actual_consumption_silo_f,
        sum(x.actual) filter (where x.silo = 107) as actual_consumption_silo_g,
        sum(x.actual) filter (where x.silo = 108) as actual_consumption_silo_h,
        sum(x.actual) filter (where x.silo = 109) as actual_consumption_silo_i,
        sum(x.actual) filter (where x.silo = 110) as actual_consumption_silo_j,
        sum(x.actual) filter (where x.silo = 111) as actual_consumption_silo_k,
        sum(x.actual) filter (where x.silo = 112) as actual_consumption_silo_l,
        sum(x.actual) filter (where x.silo = 113) as actual_consumption_silo_m,
        sum(x.actual) filter (where x.silo = 114) as actual_consumption_lq114,
        sum(x.actual) filter (where x.silo = 115) as actual_consumption_lq115
    from mo_batch_consumption x where x.batch_id = b.id
) c on true;

create view v_mo_histories as
select b.*,
    c.consumption_silo_a, c.consumption_silo_b, c.consumption_silo_c, c.consumption_silo_d, c.consumption_silo_e, c.consumption_silo_f,
    c.consumption_silo_g, c.consumption_silo_h, c.consumption_silo_i, c.consumption_silo_j, c.consumption_silo_k, c.consumption_silo_l,
    c.consumption_silo_m, c.consumption_lq114, c.consumption_lq115,
    c.actual_consumption_silo_a, c.actual_consumption_silo_b, c.actual_consumption_silo_c, c.actual_consumption_silo_d,
    c.actual_consumption_silo_e, c.actual_consumption_silo_f, c.actual_consumption_silo_g, c.actual_consumption_silo_h,
    c.actual_consumption_silo_i, c.actual_consumption_silo_j, c.actual_consumption_silo_k, c.actual_consumption_silo_l,
    c.actual_consumption_silo_m, c.actual_consumption_lq114, c.actual_consumption_lq115
from mo_histories b
left join lateral (
    select
        sum(x.planned) filter (where x.silo = 101) as consumption_silo_a,
        sum(x.planned) filter (where x.silo = 102) as consumption_silo_b,
        sum(x.planned) filter (where x.silo = 103) as consumption_silo_c,
        sum(x.planned) filter (where x.silo = 104) as consumption_silo_d,
        sum(x.planned) filter (where x.silo = 105) as consumption_silo_e,
        sum(x.planned) filter (where x.silo = 106) as consumption_silo_f,
        sum(x.planned) filter (where x.silo = 107) as consumption_silo_g,
        sum(x.planned) filter (where x.silo = 108) as consumption_silo_h,
        sum(x.planned) filter (where x.silo = 109) as consumption_silo_i,
        sum(x.planned) filter (where x.silo = 110) as consumption_silo_j,
        sum(x.planned) filter (where x.silo = 111) as consumption_silo_k,
        sum(x.planned) filter (where x.silo = 112) as consumption_silo_l,
        sum(x.planned) filter (where x.silo = 113) as consumption_silo_m,
        sum(x.planned) filter (where x.silo = 114) as consumption_lq114,
        sum(x.planned) filter (where x.silo = 115) as consumption_lq115,
        sum(x.actual) filter (where x.silo = 101) as actual_consumption_silo_a,
        sum(x.actual) filter (where x.silo = 102) as actual_consumption_silo_b,
        sum(x.actual) filter (where x.silo = 103) as actual_consumption_silo_c,
        sum(x.actual) filter (where x.silo = 104) as actual_consumption_silo_d,
        sum(x.actual) filter (where x.silo = 105) as actual_consumption_silo_e,
        sum(x.actual) filter (where x.silo = 106) as actual_consumption_silo_f,
        sum(x.actual) filter (where x.silo = 107) as actual_consumption_silo_g,
        sum(x.actual) filter (where x.silo = 108) as actual_consumption_silo_h,
        sum(x.actual) filter (where x.silo = 109) as actual_consumption_silo_i,
        sum(x.actual) filter (where x.silo = 110) as actual_consumption_silo_j,
        sum(x.actual) filter (where x.silo = 111) as actual_consumption_silo_k,
        sum(x.actual) filter (where x.silo = 112) as actual_consumption_silo_l,
        sum(x.actual) filter (where x.silo = 113) as actual_consumption_silo_m,
        sum(x.actual) filter (where x.silo = 114) as actual_consumption_lq114,
        sum(x.actual) filter (where x.silo = 115) as actual_consumption_lq115
    from mo_histories_consumption x where x.history_id = b.id
) c on true;
