-- A small Open Mercato database, written by hand from its migrations: the tables that an import reads, with the
-- columns, defaults and keys that they have there.

CREATE TABLE customer_entities (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, organization_id uuid NOT NULL, tenant_id uuid NOT NULL,
  kind text NOT NULL, display_name text NOT NULL, description text, owner_user_id uuid, primary_email text,
  primary_phone text, status text, lifecycle_stage text, source text, next_interaction_at timestamptz,
  next_interaction_name text, next_interaction_ref_id text, next_interaction_icon text, next_interaction_color text,
  is_active boolean NOT NULL DEFAULT true, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  deleted_at timestamptz
);
CREATE TABLE customer_deals (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, organization_id uuid NOT NULL, tenant_id uuid NOT NULL,
  title text NOT NULL, description text, status text NOT NULL DEFAULT 'open', pipeline_stage text,
  value_amount numeric(14,2), value_currency text, probability int, expected_close_at timestamptz, owner_user_id uuid,
  source text, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, deleted_at timestamptz,
  pipeline_id uuid, pipeline_stage_id uuid, closure_outcome text, loss_reason_id uuid, loss_notes text
);
CREATE TABLE customer_deal_people (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, role text, created_at timestamptz NOT NULL,
  deal_id uuid NOT NULL REFERENCES customer_deals, person_entity_id uuid NOT NULL REFERENCES customer_entities,
  CONSTRAINT customer_deal_people_unique UNIQUE (deal_id, person_entity_id)
);
CREATE TABLE customer_deal_companies (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, created_at timestamptz NOT NULL,
  deal_id uuid NOT NULL REFERENCES customer_deals, company_entity_id uuid NOT NULL REFERENCES customer_entities,
  CONSTRAINT customer_deal_companies_unique UNIQUE (deal_id, company_entity_id)
);
CREATE TABLE customer_dictionary_entries (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, organization_id uuid NOT NULL, tenant_id uuid NOT NULL,
  kind text NOT NULL, value text NOT NULL, normalized_value text NOT NULL, label text NOT NULL, color text, icon text,
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  CONSTRAINT customer_dictionary_entries_unique UNIQUE (organization_id, tenant_id, kind, normalized_value)
);
CREATE TABLE customer_activities (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, organization_id uuid NOT NULL, tenant_id uuid NOT NULL,
  activity_type text NOT NULL, subject text, body text, occurred_at timestamptz, author_user_id uuid,
  appearance_icon text, appearance_color text, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  entity_id uuid NOT NULL REFERENCES customer_entities, deal_id uuid REFERENCES customer_deals
);
CREATE TABLE customer_todo_links (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, organization_id uuid NOT NULL, tenant_id uuid NOT NULL,
  todo_id uuid NOT NULL, todo_source text NOT NULL DEFAULT 'customers:interaction', created_at timestamptz NOT NULL,
  created_by_user_id uuid, entity_id uuid NOT NULL REFERENCES customer_entities,
  CONSTRAINT customer_todo_links_unique UNIQUE (entity_id, todo_id, todo_source)
);
CREATE TABLE customer_interactions (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, organization_id uuid NOT NULL, tenant_id uuid NOT NULL,
  interaction_type text NOT NULL, title text, body text, status text NOT NULL DEFAULT 'planned',
  scheduled_at timestamptz, occurred_at timestamptz, priority int, author_user_id uuid, owner_user_id uuid,
  appearance_icon text, appearance_color text, source text, deal_id uuid, created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL, deleted_at timestamptz, entity_id uuid NOT NULL REFERENCES customer_entities,
  pinned boolean NOT NULL DEFAULT false, duration_minutes int, location text, all_day boolean, recurrence_rule text,
  recurrence_end timestamptz, participants jsonb, reminder_minutes int, visibility text, linked_entities jsonb,
  guest_permissions jsonb, external_message_id uuid, channel_provider_key text
);
CREATE TABLE todos (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, title text NOT NULL, tenant_id uuid, organization_id uuid,
  is_done boolean NOT NULL DEFAULT false, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  deleted_at timestamptz
);
CREATE TABLE custom_field_values (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, entity_id text NOT NULL, record_id text NOT NULL,
  organization_id uuid, tenant_id uuid, field_key text NOT NULL, value_text text, value_multiline text, value_int int,
  value_float real, value_bool boolean, created_at timestamptz NOT NULL, deleted_at timestamptz
);
CREATE INDEX cf_values_entity_record_tenant_idx ON custom_field_values (entity_id, record_id, tenant_id);
CREATE TABLE encryption_maps (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, entity_id text NOT NULL, tenant_id uuid,
  organization_id uuid, fields_json jsonb, is_active boolean NOT NULL DEFAULT true, created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL, deleted_at timestamptz
);
CREATE TABLE sync_external_id_mappings (
  id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY, integration_id text NOT NULL,
  internal_entity_type text NOT NULL, internal_entity_id uuid NOT NULL, external_id text NOT NULL,
  sync_status text NOT NULL DEFAULT 'not_synced', last_synced_at timestamptz, organization_id uuid NOT NULL,
  tenant_id uuid NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, deleted_at timestamptz
);

-- Every row is of one tenant and organization unless it says otherwise.
CREATE FUNCTION pg_temp.t() RETURNS uuid LANGUAGE sql AS $$ SELECT '11111111-1111-4111-8111-111111111111'::uuid $$;
CREATE FUNCTION pg_temp.o() RETURNS uuid LANGUAGE sql AS $$ SELECT '22222222-2222-4222-8222-222222222222'::uuid $$;
-- An id of a kind (a: activity, c: customer, d: deal, e: interaction, f: todo, b: link, 9: user) with a number.
CREATE FUNCTION pg_temp.k(kind text, number int) RETURNS uuid LANGUAGE sql AS
$$ SELECT (repeat(kind, 8) || '-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid $$;

-- Ten people and three companies. Person 10 is deleted there.
INSERT INTO customer_entities (id, organization_id, tenant_id, kind, display_name, primary_email, primary_phone,
  owner_user_id, created_at, updated_at, deleted_at)
SELECT pg_temp.k('c', n), pg_temp.o(), pg_temp.t(), 'person', 'Person ' || n, 'person' || n || '@example.com',
  CASE WHEN n < 3 THEN '+1 555 0100' END, CASE WHEN n = 1 THEN pg_temp.k('9', 1) END, timestamptz '2023-01-01Z',
  timestamptz '2023-06-01Z',
  CASE WHEN n = 10 THEN '2024-06-01Z'::timestamptz END
FROM generate_series(1, 10) n
UNION ALL
SELECT pg_temp.k('c', n), pg_temp.o(), pg_temp.t(), 'company', 'Company ' || n, NULL, NULL, NULL, '2023-01-01Z',
  '2023-06-01Z', NULL
FROM generate_series(11, 13) n;

INSERT INTO customer_dictionary_entries (organization_id, tenant_id, kind, value, normalized_value, label, color, icon,
  created_at, updated_at) VALUES
  (pg_temp.o(), pg_temp.t(), 'activity_type', 'call', 'call', 'Call', '#2563eb', 'lucide:phone-call', now(), now()),
  (pg_temp.o(), pg_temp.t(), 'activity_type', 'Site visit', 'site visit', 'Site visit', '#0f0', 'map', now(), now()),
  (pg_temp.o(), pg_temp.t(), 'activity_type', 'Call / Email', 'call / email', 'Both', 'red', NULL, now(), now()),
  (pg_temp.o(), pg_temp.t(), 'lifecycle_stage', 'customer', 'customer', 'Customer', NULL, NULL, now(), now());

-- Deal 1 has a person and a company, deal 2 a person, deal 3 no customer, and deal 4 is deleted.
INSERT INTO customer_deals (id, organization_id, tenant_id, title, status, created_at, updated_at, deleted_at) VALUES
  (pg_temp.k('d', 1), pg_temp.o(), pg_temp.t(), 'Deal 1', 'open', '2023-02-01Z', '2023-02-01Z', NULL),
  (pg_temp.k('d', 2), pg_temp.o(), pg_temp.t(), 'Deal 2', 'win', '2023-02-01Z', '2023-02-01Z', NULL),
  (pg_temp.k('d', 3), pg_temp.o(), pg_temp.t(), 'Deal 3', 'open', '2023-02-01Z', '2023-02-01Z', NULL),
  (pg_temp.k('d', 4), pg_temp.o(), pg_temp.t(), 'Deal 4', 'open', '2023-02-01Z', '2023-02-01Z', '2024-01-01Z');
INSERT INTO customer_deal_people (deal_id, person_entity_id, created_at) VALUES
  (pg_temp.k('d', 1), pg_temp.k('c', 1), '2023-02-01Z'),
  (pg_temp.k('d', 2), pg_temp.k('c', 2), '2023-02-01Z'),
  (pg_temp.k('d', 4), pg_temp.k('c', 2), '2023-02-01Z');
INSERT INTO customer_deal_companies (deal_id, company_entity_id, created_at) VALUES
  (pg_temp.k('d', 1), pg_temp.k('c', 11), '2023-02-01Z');

-- Activity 1 was moved there by its own backfill, 2 was moved and its interaction deleted since, 7 has an unreadable
-- time, and 8 is of the deleted person.
INSERT INTO customer_activities (id, organization_id, tenant_id, activity_type, subject, body, occurred_at,
  author_user_id, appearance_icon, appearance_color, created_at, updated_at, entity_id, deal_id) VALUES
  (pg_temp.k('a', 1), pg_temp.o(), pg_temp.t(), 'call', 'Activity 1', 'Text', '2024-01-10Z', pg_temp.k('9', 1), NULL,
    NULL, '2024-01-10Z', '2024-01-10Z', pg_temp.k('c', 1), pg_temp.k('d', 2)),
  (pg_temp.k('a', 2), pg_temp.o(), pg_temp.t(), 'call', 'Activity 2', NULL, '2024-01-11Z', NULL, NULL, NULL,
    '2024-01-11Z', '2024-01-11Z', pg_temp.k('c', 1), NULL),
  (pg_temp.k('a', 3), pg_temp.o(), pg_temp.t(), 'Call / Email', 'Activity 3', NULL, NULL, NULL, 'lucide:mail',
    '#FF8800', '2024-01-12Z', '2024-01-13Z', pg_temp.k('c', 2), pg_temp.k('d', 2)),
  (pg_temp.k('a', 4), pg_temp.o(), pg_temp.t(), 'meeting', 'Activity 4', repeat('x', 12000), '2024-01-14Z', NULL, NULL,
    'not a colour', '2024-01-14Z', '2024-01-14Z', pg_temp.k('c', 3), NULL),
  (pg_temp.k('a', 5), pg_temp.o(), pg_temp.t(), 'note', repeat('y', 600), NULL, '2024-01-15Z', NULL, NULL, NULL,
    '2024-01-15Z', '2024-01-15Z', pg_temp.k('c', 11), NULL),
  (pg_temp.k('a', 6), pg_temp.o(), pg_temp.t(), 'Site visit', 'Activity 6', NULL, '0001-01-01Z', NULL, NULL, NULL,
    '2024-01-16Z', '2024-01-16Z', pg_temp.k('c', 12), NULL),
  (pg_temp.k('a', 7), pg_temp.o(), pg_temp.t(), 'call', 'Activity 7', NULL, 'infinity', NULL, NULL, NULL,
    '2024-01-17Z', '2024-01-17Z', pg_temp.k('c', 4), NULL),
  (pg_temp.k('a', 8), pg_temp.o(), pg_temp.t(), 'call', 'Activity 8', NULL, '2024-01-18Z', NULL, NULL, NULL,
    '2024-01-18Z', '2024-01-18Z', pg_temp.k('c', 10), NULL);

-- Todo 1 is shared by two customers, 2 is done, 3 was moved by the backfill there, 4 is deleted, 5 has no tenant,
-- 6 belongs to no customer. Link 7 names the interaction 1, link 8 a module that is gone.
INSERT INTO todos (id, title, tenant_id, organization_id, is_done, created_at, updated_at, deleted_at) VALUES
  (pg_temp.k('f', 1), 'Todo 1', pg_temp.t(), pg_temp.o(), false, '2024-02-01Z', '2024-02-02Z', NULL),
  (pg_temp.k('f', 2), 'Todo 2', pg_temp.t(), pg_temp.o(), true, '2024-02-01Z', '2024-02-03Z', NULL),
  (pg_temp.k('f', 3), 'Todo 3', pg_temp.t(), pg_temp.o(), false, '2024-02-01Z', '2024-02-01Z', NULL),
  (pg_temp.k('f', 4), 'Todo 4', pg_temp.t(), pg_temp.o(), false, '2024-02-01Z', '2024-02-01Z', '2024-03-01Z'),
  (pg_temp.k('f', 5), 'Todo 5', NULL, NULL, false, '2024-02-01Z', '2024-02-01Z', NULL),
  (pg_temp.k('f', 6), 'Todo 6', pg_temp.t(), pg_temp.o(), false, '2024-02-01Z', '2024-02-01Z', NULL);
INSERT INTO customer_todo_links (id, organization_id, tenant_id, todo_id, todo_source, created_at, created_by_user_id,
  entity_id) VALUES
  (pg_temp.k('b', 1), pg_temp.o(), pg_temp.t(), pg_temp.k('f', 1), 'example:todo', '2024-02-01Z', NULL, pg_temp.k('c', 1)),
  (pg_temp.k('b', 2), pg_temp.o(), pg_temp.t(), pg_temp.k('f', 1), 'example:todo', '2024-02-01Z', NULL, pg_temp.k('c', 2)),
  (pg_temp.k('b', 3), pg_temp.o(), pg_temp.t(), pg_temp.k('f', 2), 'example:todo', '2024-02-01Z', pg_temp.k('9', 1), pg_temp.k('c', 3)),
  (pg_temp.k('b', 4), pg_temp.o(), pg_temp.t(), pg_temp.k('f', 3), 'example:todo', '2024-02-01Z', NULL, pg_temp.k('c', 4)),
  (pg_temp.k('b', 5), pg_temp.o(), pg_temp.t(), pg_temp.k('f', 4), 'example:todo', '2024-02-01Z', NULL, pg_temp.k('c', 5)),
  (pg_temp.k('b', 6), pg_temp.o(), pg_temp.t(), pg_temp.k('f', 5), 'example:todo', '2024-02-01Z', NULL, pg_temp.k('c', 6)),
  (pg_temp.k('b', 7), pg_temp.o(), pg_temp.t(), pg_temp.k('e', 1), 'customers:interaction', '2024-05-01Z', NULL, pg_temp.k('c', 1)),
  (pg_temp.k('b', 8), pg_temp.o(), pg_temp.t(), pg_temp.k('f', 8), 'planner:task', '2024-02-01Z', NULL, pg_temp.k('c', 13));
INSERT INTO custom_field_values (entity_id, record_id, organization_id, tenant_id, field_key, value_text,
  value_multiline, value_int, value_bool, created_at, deleted_at) VALUES
  ('example:todo', pg_temp.k('f', 1)::text, pg_temp.o(), pg_temp.t(), 'priority', NULL, NULL, 4, NULL, now(), NULL),
  ('example:todo', pg_temp.k('f', 1)::text, pg_temp.o(), pg_temp.t(), 'severity', 'high', NULL, NULL, NULL, now(), NULL),
  ('example:todo', pg_temp.k('f', 1)::text, pg_temp.o(), pg_temp.t(), 'severity', 'low', NULL, NULL, NULL, now(), now()),
  ('example:todo', pg_temp.k('f', 1)::text, pg_temp.o(), pg_temp.t(), 'description', NULL, 'Long text', NULL, NULL, now(), NULL),
  ('example:todo', pg_temp.k('f', 1)::text, pg_temp.o(), pg_temp.t(), 'due_at', '2024-04-01T09:00:00Z', NULL, NULL, NULL, now(), NULL),
  ('example:todo', pg_temp.k('f', 1)::text, pg_temp.o(), pg_temp.t(), 'labels', 'ops', NULL, NULL, NULL, now(), NULL),
  ('example:todo', pg_temp.k('f', 1)::text, pg_temp.o(), pg_temp.t(), 'labels', 'bug', NULL, NULL, NULL, now(), NULL),
  ('example:todo', pg_temp.k('f', 2)::text, pg_temp.o(), pg_temp.t(), 'blocked', NULL, NULL, NULL, true, now(), NULL),
  ('customers:customer_interaction', pg_temp.k('e', 2)::text, pg_temp.o(), pg_temp.t(), 'engagement_sentiment', 'positive', NULL, NULL, NULL, now(), NULL),
  ('customers:customer_activity', pg_temp.k('a', 4)::text, pg_temp.o(), pg_temp.t(), 'shared_with_leadership', NULL, NULL, NULL, true, now(), NULL);

-- As its own backfill left them: the id of the activity, or of the todo. The second got another customer, then was
-- deleted.
INSERT INTO customer_interactions (id, organization_id, tenant_id, interaction_type, title, body, status, scheduled_at,
  occurred_at, source, created_at, updated_at, deleted_at, entity_id) VALUES
  (pg_temp.k('a', 1), pg_temp.o(), pg_temp.t(), 'call', 'Activity 1, changed', 'Text', 'done', NULL, '2024-01-10Z',
    'adapter:activity', '2024-04-01Z', '2024-05-02Z', NULL, pg_temp.k('c', 1)),
  (pg_temp.k('a', 2), pg_temp.o(), pg_temp.t(), 'call', 'Activity 2', NULL, 'done', NULL, '2024-01-11Z',
    'adapter:activity', '2024-04-01Z', '2024-05-03Z', '2024-05-03Z', pg_temp.k('c', 2)),
  (pg_temp.k('f', 3), pg_temp.o(), pg_temp.t(), 'task', 'Todo 3', NULL, 'done', NULL, '2024-05-04Z',
    'adapter:todo', '2024-04-01Z', '2024-05-04Z', NULL, pg_temp.k('c', 4));
-- Written since: planned, with everything that has no place here, recurring, deleted, private, of unknown statuses.
INSERT INTO customer_interactions (id, organization_id, tenant_id, interaction_type, title, status, scheduled_at,
  occurred_at, priority, source, deal_id, created_at, updated_at, deleted_at, entity_id, pinned, duration_minutes,
  location, all_day, recurrence_rule, recurrence_end, participants, reminder_minutes, visibility, linked_entities,
  guest_permissions, external_message_id, channel_provider_key) VALUES
  (pg_temp.k('e', 1), pg_temp.o(), pg_temp.t(), 'task', 'Interaction 1', 'planned', '2031-01-01Z', NULL, 50, 'manual',
    NULL, '2024-05-01Z', '2024-05-01Z', NULL, pg_temp.k('c', 1), false, NULL, NULL, false, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL),
  (pg_temp.k('e', 2), pg_temp.o(), pg_temp.t(), 'meeting', 'Interaction 2', 'completed', NULL, '2024-05-05Z', NULL,
    'manual', pg_temp.k('d', 1), '2024-05-01Z', '2024-05-05Z', NULL, pg_temp.k('c', 11), true, 30, 'Place 1', true,
    NULL, NULL, '[{"userId": "u1"}]', 15, 'team', '[{"id": "x", "type": "deal", "label": "D"}]',
    '{"canModify": true}', NULL, NULL),
  (pg_temp.k('e', 3), pg_temp.o(), pg_temp.t(), 'call', 'Interaction 3', 'planned', '2031-02-01Z', NULL, NULL, 'manual',
    NULL, '2024-05-01Z', '2024-05-01Z', NULL, pg_temp.k('c', 2), false, NULL, NULL, NULL, 'FREQ=WEEKLY', '2032-01-01Z',
    '[]', NULL, NULL, NULL, '{}', NULL, NULL),
  (pg_temp.k('e', 4), pg_temp.o(), pg_temp.t(), 'call', 'Interaction 4', 'planned', NULL, NULL, NULL, 'manual', NULL,
    '2024-05-01Z', '2024-05-06Z', '2024-05-06Z', pg_temp.k('c', 2), false, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL),
  (pg_temp.k('e', 5), pg_temp.o(), pg_temp.t(), 'email', 'Interaction 5', 'done', NULL, '2024-05-07Z', NULL, 'sync',
    NULL, '2024-05-07Z', '2024-05-07Z', NULL, pg_temp.k('c', 3), false, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    'private', NULL, NULL, pg_temp.k('9', 7), 'imap'),
  (pg_temp.k('e', 6), pg_temp.o(), pg_temp.t(), 'task', 'Interaction 6', 'in_review', '2031-03-01Z', NULL, NULL,
    'manual', NULL, '2024-05-01Z', '2024-05-01Z', NULL, pg_temp.k('c', 3), false, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, 'public', NULL, NULL, NULL, NULL),
  (pg_temp.k('e', 7), pg_temp.o(), pg_temp.t(), 'call', 'Interaction 7', 'cancelled', '2024-06-01Z', NULL, NULL,
    'manual', NULL, '2024-05-01Z', '2024-05-08Z', NULL, pg_temp.k('c', 4), false, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL),
  (pg_temp.k('e', 8), pg_temp.o(), pg_temp.t(), 'call', 'Interaction 8', 'planned', '2031-04-01Z', NULL, NULL, 'manual',
    NULL, '2024-05-01Z', '2024-05-01Z', NULL, pg_temp.k('c', 10), false, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL);

INSERT INTO sync_external_id_mappings (integration_id, internal_entity_type, internal_entity_id, external_id,
  organization_id, tenant_id, created_at, updated_at, deleted_at) VALUES
  ('sync_trello', 'customers:customer_interaction', pg_temp.k('e', 1), 'card-1', pg_temp.o(), pg_temp.t(), now(), now(), NULL),
  ('sync_trello', 'example:todo', pg_temp.k('f', 1), 'card-2', pg_temp.o(), pg_temp.t(), now(), now(), NULL),
  ('sync_trello', 'customers:customer_interaction', pg_temp.k('e', 4), 'card-3', pg_temp.o(), pg_temp.t(), now(), now(), NULL),
  ('sync_trello', 'customers:customer_interaction', pg_temp.k('e', 6), 'card-4', pg_temp.o(), pg_temp.t(), now(), now(), now()),
  ('sync_akeneo', 'catalog_product', pg_temp.k('9', 9), 'product-1', pg_temp.o(), pg_temp.t(), now(), now(), NULL);
INSERT INTO encryption_maps (entity_id, tenant_id, fields_json, is_active, created_at, updated_at) VALUES
  ('customers:customer_activity', pg_temp.t(), '[{"field": "subject"}, {"field": "body"}]', true, now(), now());
