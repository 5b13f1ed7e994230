//! The tables, as both migration trees create them (a test compares them).

diesel::table! {
    users (id) {
        id -> BigInt,
        email -> Text,
        email_key -> Text,
        name -> Text,
        search_text -> Text,
        password_hash -> Text,
        role -> Text,
        disabled -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        revision -> BigInt,
        deprecation_notices_enabled -> Bool,
    }
}

diesel::table! {
    sessions (id) {
        id -> BigInt,
        user_id -> BigInt,
        user_agent -> Nullable<Text>,
        created_at -> BigInt,
        last_seen_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    refresh_tokens (token_hash) {
        token_hash -> Binary,
        session_id -> BigInt,
        created_at -> BigInt,
        rotated_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    revoked_tokens (token_id) {
        token_id -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    password_resets (token_hash) {
        token_hash -> Binary,
        user_id -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    bucketlists (id) {
        id -> BigInt,
        user_id -> BigInt,
        name -> Text,
        description -> Nullable<Text>,
        search_text -> Text,
        items_total -> BigInt,
        items_done -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    items (id) {
        id -> BigInt,
        bucketlist_id -> BigInt,
        name -> Text,
        description -> Nullable<Text>,
        search_text -> Text,
        done -> Bool,
        done_at -> Nullable<BigInt>,
        due_on -> Nullable<Date>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    idempotency_keys (user_id, scope, name) {
        user_id -> BigInt,
        scope -> Text,
        name -> Text,
        fingerprint -> Binary,
        version -> Integer,
        result -> Text,
        expires_at -> BigInt,
    }
}

diesel::table! {
    jobs (id) {
        id -> BigInt,
        kind -> Text,
        payload -> Text,
        attempts -> Integer,
        run_at -> BigInt,
        last_error -> Nullable<Text>,
        created_at -> BigInt,
        fencing_token -> Integer,
        state -> Text,
        priority -> Integer,
        max_attempts -> Integer,
        started_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
        worker -> Nullable<Text>,
    }
}

diesel::table! {
    job_schedules (name) {
        name -> Text,
        interval_micros -> BigInt,
        next_run_at -> BigInt,
        last_started_at -> Nullable<BigInt>,
        last_finished_at -> Nullable<BigInt>,
        last_result -> Nullable<Text>,
        last_error -> Nullable<Text>,
        last_count -> Nullable<BigInt>,
        worker -> Nullable<Text>,
        lease_expires_at -> Nullable<BigInt>,
        fencing_token -> Integer,
    }
}

diesel::table! {
    audit_events (id) {
        id -> BigInt,
        created_at -> BigInt,
        action -> Text,
        actor_id -> Nullable<BigInt>,
        target_type -> Nullable<Text>,
        target_id -> Nullable<BigInt>,
        request_id -> Nullable<Text>,
        address -> Nullable<Text>,
        detail -> Text,
    }
}

diesel::table! {
    incident_groups (id) {
        id -> BigInt,
        fingerprint -> Text,
        operation -> Nullable<Text>,
        status -> Integer,
        code -> Nullable<Text>,
        site -> Text,
        occurrences -> BigInt,
        resolved_at -> Nullable<BigInt>,
        fixed_in -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        regressed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    incidents (id) {
        id -> BigInt,
        group_id -> BigInt,
        user_id -> Nullable<BigInt>,
        request_id -> Text,
        method -> Text,
        contract -> Nullable<Text>,
        duration -> BigInt,
        server_version -> Text,
        key_id -> Nullable<Text>,
        record -> Binary,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    exports (id) {
        id -> BigInt,
        user_id -> BigInt,
        format -> Text,
        state -> Text,
        attempts -> Integer,
        parts -> Nullable<Integer>,
        records -> Nullable<BigInt>,
        created_at -> BigInt,
        finished_at -> Nullable<BigInt>,
        expires_at -> BigInt,
    }
}

diesel::table! {
    export_parts (export_id, number) {
        export_id -> BigInt,
        number -> Integer,
        records -> Text,
    }
}

diesel::table! {
    schema_compatibility (minimum_version) {
        minimum_version -> Text,
    }
}

diesel::table! {
    api_clients (id) {
        id -> BigInt,
        user_id -> BigInt,
        name -> Text,
        contact_email -> Text,
        scopes -> Text,
        rate_limit -> Nullable<Integer>,
        key_prefix -> Text,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
        previous_valid_until -> Nullable<BigInt>,
        deprecation_notices_enabled -> Bool,
    }
}

diesel::table! {
    usage_counters (period, starts_at, version, operation, consumer_kind, consumer_id, user_agent, status_class) {
        period -> Text,
        starts_at -> BigInt,
        version -> Text,
        operation -> Text,
        consumer_kind -> Text,
        consumer_id -> BigInt,
        user_agent -> Text,
        status_class -> Integer,
        requests -> BigInt,
        bytes_in -> BigInt,
        bytes_out -> BigInt,
        last_seen_at -> BigInt,
        latency_0 -> BigInt,
        latency_1 -> BigInt,
        latency_2 -> BigInt,
        latency_3 -> BigInt,
        latency_4 -> BigInt,
        latency_5 -> BigInt,
        latency_6 -> BigInt,
        latency_7 -> BigInt,
        latency_8 -> BigInt,
        latency_9 -> BigInt,
        latency_10 -> BigInt,
        latency_11 -> BigInt,
        latency_12 -> BigInt,
        latency_13 -> BigInt,
        latency_14 -> BigInt,
        latency_15 -> BigInt,
        rejected -> BigInt,
    }
}

diesel::table! {
    api_client_keys (prefix) {
        prefix -> Text,
        api_client_id -> BigInt,
        digest -> Binary,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    usage_inputs (day, version, operation, consumer_kind, consumer_id, user_agent, input) {
        day -> BigInt,
        version -> Text,
        operation -> Text,
        consumer_kind -> Text,
        consumer_id -> BigInt,
        user_agent -> Text,
        input -> Text,
    }
}

diesel::table! {
    deprecation_notices (consumer_kind, consumer_id, version, operation, notice, brownout_at) {
        consumer_kind -> Text,
        consumer_id -> BigInt,
        version -> Text,
        operation -> Text,
        notice -> Text,
        created_at -> BigInt,
        brownout_at -> BigInt,
        state -> Text,
    }
}

diesel::table! {
    known_devices (user_id, device) {
        user_id -> BigInt,
        device -> Binary,
        last_login_at -> BigInt,
    }
}

diesel::table! {
    cache_suspensions (id) {
        id -> BigInt,
        ends_at -> BigInt,
    }
}

diesel::table! {
    running_servers (id) {
        id -> Text,
        address -> Text,
        process -> BigInt,
        settings -> Text,
        renewed_at -> BigInt,
    }
}

diesel::joinable!(known_devices -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(refresh_tokens -> sessions (session_id));
diesel::joinable!(password_resets -> users (user_id));
diesel::joinable!(bucketlists -> users (user_id));
diesel::joinable!(items -> bucketlists (bucketlist_id));
diesel::joinable!(idempotency_keys -> users (user_id));
diesel::joinable!(incidents -> incident_groups (group_id));
diesel::joinable!(incidents -> users (user_id));
diesel::joinable!(exports -> users (user_id));
diesel::joinable!(export_parts -> exports (export_id));
diesel::joinable!(api_clients -> users (user_id));
diesel::joinable!(api_client_keys -> api_clients (api_client_id));
diesel::allow_tables_to_appear_in_same_query!(
    users,
    sessions,
    refresh_tokens,
    revoked_tokens,
    password_resets,
    bucketlists,
    items,
    idempotency_keys,
    jobs,
    job_schedules,
    audit_events,
    incident_groups,
    incidents,
    exports,
    export_parts,
    api_clients,
    api_client_keys,
    usage_counters,
    usage_inputs,
    deprecation_notices,
    known_devices,
    cache_suspensions,
    running_servers,
);
