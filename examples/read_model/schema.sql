-- The first column of each table is its key. A row is replaced by a greater version only.

-- A deletion is a version like any other, so that an older version does not bring the row back.
CREATE TABLE IF NOT EXISTS interaction_versions (
    id VARCHAR PRIMARY KEY,
    version BIGINT NOT NULL,
    deleted BOOLEAN NOT NULL,
    tenant_id VARCHAR,
    organization_id VARCHAR,
    entity_id VARCHAR,
    deal_id VARCHAR,
    interaction_type VARCHAR,
    title VARCHAR,
    body VARCHAR,
    status VARCHAR,
    scheduled_at TIMESTAMPTZ,
    occurred_at TIMESTAMPTZ,
    priority INTEGER,
    author_user_id VARCHAR,
    owner_user_id VARCHAR,
    appearance_icon VARCHAR,
    appearance_color VARCHAR,
    source VARCHAR,
    created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ
);
CREATE VIEW IF NOT EXISTS interactions AS
SELECT * EXCLUDE (deleted) FROM interaction_versions WHERE NOT deleted;

-- The version is the entity's. Without an interaction, the entity has no next one.
CREATE TABLE IF NOT EXISTS next_interaction_versions (
    entity_id VARCHAR PRIMARY KEY,
    version BIGINT NOT NULL,
    tenant_id VARCHAR,
    organization_id VARCHAR,
    interaction_id VARCHAR,
    scheduled_at TIMESTAMPTZ,
    name VARCHAR,
    icon VARCHAR,
    color VARCHAR
);
CREATE VIEW IF NOT EXISTS next_interactions AS
SELECT * FROM next_interaction_versions WHERE interaction_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS entities (
    id VARCHAR PRIMARY KEY,
    version BIGINT NOT NULL,
    tenant_id VARCHAR,
    organization_id VARCHAR,
    kind VARCHAR,
    display_name VARCHAR,
    primary_email VARCHAR,
    primary_phone VARCHAR,
    owner_user_id VARCHAR,
    last_interaction_id VARCHAR,
    last_at TIMESTAMPTZ,
    last_name VARCHAR,
    open_count INTEGER,
    overdue_count INTEGER,
    done_count INTEGER,
    created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS deals (
    id VARCHAR PRIMARY KEY,
    version BIGINT NOT NULL,
    tenant_id VARCHAR,
    organization_id VARCHAR,
    entity_id VARCHAR,
    title VARCHAR,
    status VARCHAR,
    created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ
);

-- The key is that of the record. The version is its offset: the product has none for types.
CREATE TABLE IF NOT EXISTS interaction_types (
    key VARCHAR PRIMARY KEY,
    version BIGINT NOT NULL,
    tenant_id VARCHAR,
    organization_id VARCHAR,
    code VARCHAR,
    label VARCHAR,
    icon VARCHAR,
    color VARCHAR,
    actionable BOOLEAN
);

-- Offsets up to which the tables are current; committed together with them.
CREATE TABLE IF NOT EXISTS positions (
    topic VARCHAR,
    partition INTEGER,
    next_offset BIGINT NOT NULL,
    PRIMARY KEY (topic, partition)
);

CREATE TABLE IF NOT EXISTS bootstrap (
    started_at TIMESTAMPTZ NOT NULL,
    newest_state TIMESTAMPTZ,
    finished BOOLEAN NOT NULL
);
INSERT INTO bootstrap SELECT now(), NULL, false WHERE NOT EXISTS (FROM bootstrap);
