import SQLite

/// The tables of the read model, and nothing else that knows their shape but the folds and the queries.
///
/// Every fact table is written by one topic, so that it does not matter how partitions interleave; what belongs
/// together is joined when it is asked for, and what has not arrived yet is seen to be missing. `key` names a trigger
/// in one integer: the id of its source (station and trigger session) times 2^40 plus its sequence. Columns
/// `partition`, `epoch` and `sequence` are the origin of the record that a row comes from; the topic and the site
/// follow from the table.
enum Schema {
    /// Raised with every change of a table or of a fold; another version is rebuilt, never altered.
    static let version: Int64 = 4
    /// The oldest version whose tables the queries of this version can read, so that its file is served, marked stale,
    /// until it is rebuilt. Raised to `version` with a change of a table or column that a query names.
    static let oldestServed: Int64 = 4

    /// Bits of `key` that hold the trigger's sequence.
    static let sequenceBits: Int64 = 40
    static let sequenceMask: Int64 = (1 << sequenceBits) - 1
    /// Sources that fit above them.
    static let sourceLimit: Int64 = 1 << 22

    /// Joins an evidence row `e` with the expiry `x` of its picture, where that came after it.
    static let expiryOfEvidence = """
        x.pixels_sha256 = e.pixels_sha256 AND x.partition = e.partition AND (x.epoch, x.sequence) > (e.epoch, e.sequence)
        """

    static let tables =
        model + dimensions + frames + inspections + production + materials + deliveries + alarms
        + decisions

    private static let model = """
        CREATE TABLE model(
            id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, site TEXT NOT NULL,
            applied_at_us INTEGER NOT NULL);
        CREATE TABLE input(
            topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
            applied INTEGER NOT NULL, events INTEGER NOT NULL, void INTEGER NOT NULL, repeats INTEGER NOT NULL,
            unknown INTEGER NOT NULL, parked INTEGER NOT NULL,
            PRIMARY KEY (topic, partition)) WITHOUT ROWID;
        CREATE TABLE fence(
            topic TEXT NOT NULL, partition INTEGER NOT NULL, state TEXT NOT NULL,
            PRIMARY KEY (topic, partition)) WITHOUT ROWID;
        CREATE TABLE lag(bucket INTEGER PRIMARY KEY, parts INTEGER NOT NULL);
        CREATE TABLE gap(
            topic TEXT NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL,
            expected INTEGER NOT NULL, found INTEGER NOT NULL,
            PRIMARY KEY (topic, partition, epoch, expected)) WITHOUT ROWID;
        CREATE TABLE not_understood(
            subject TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL,
            sequence INTEGER NOT NULL, occurred_at_us INTEGER NOT NULL,
            PRIMARY KEY (subject, topic, partition, epoch, sequence)) WITHOUT ROWID;

        """

    private static let dimensions = """
        CREATE TABLE source(
            id INTEGER PRIMARY KEY, station TEXT NOT NULL, session INTEGER NOT NULL, UNIQUE (station, session));
        CREATE TABLE term(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
        CREATE TABLE context(
            id INTEGER PRIMARY KEY, content_sha256 BLOB NOT NULL UNIQUE,
            order_id TEXT NOT NULL, sku TEXT NOT NULL, batch_id TEXT NOT NULL, variant TEXT NOT NULL,
            customer_order TEXT NOT NULL, line TEXT NOT NULL, shift TEXT NOT NULL, recipe_id TEXT NOT NULL,
            recipe_sha256 TEXT NOT NULL, target_quantity INTEGER NOT NULL, changeover INTEGER NOT NULL,
            control_plan_revision TEXT NOT NULL, customer_requirements TEXT NOT NULL);
        CREATE INDEX context_by_order ON context(order_id);
        CREATE INDEX context_by_batch ON context(batch_id);
        CREATE TABLE context_lot(
            context INTEGER NOT NULL, material_lot_id TEXT NOT NULL,
            PRIMARY KEY (context, material_lot_id)) WITHOUT ROWID;
        CREATE INDEX context_lot_by_lot ON context_lot(material_lot_id);

        """

    private static let frames = """
        CREATE TABLE trigger(
            key INTEGER PRIMARY KEY, captured INTEGER NOT NULL, triggered_at_us INTEGER NOT NULL,
            device_time_us INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
            pixel_format INTEGER NOT NULL, pixels_sha256 BLOB, source_name TEXT, reason TEXT,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL);
        CREATE TABLE evidence(
            key INTEGER PRIMARY KEY, stored INTEGER NOT NULL, pixels_sha256 BLOB, stored_sha256 BLOB,
            lossless INTEGER NOT NULL, media_type INTEGER, stored_bytes INTEGER NOT NULL, reason TEXT,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL);
        CREATE TABLE evidence_expired(
            pixels_sha256 BLOB NOT NULL, partition INTEGER NOT NULL, policy TEXT NOT NULL, at_us INTEGER NOT NULL,
            epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (pixels_sha256, partition)) WITHOUT ROWID;
        CREATE TABLE trigger_tally(
            source INTEGER PRIMARY KEY, triggers INTEGER NOT NULL, missed INTEGER NOT NULL,
            last_sequence INTEGER NOT NULL);
        CREATE TABLE trigger_repeat(
            key INTEGER NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (key, partition, epoch, sequence)) WITHOUT ROWID;
        CREATE TABLE trigger_session(
            source INTEGER PRIMARY KEY, adapter TEXT NOT NULL, device TEXT NOT NULL, reason TEXT NOT NULL,
            at_us INTEGER NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL);
        CREATE TABLE source_exhausted(
            station TEXT PRIMARY KEY, triggers INTEGER NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;

        """

    /// `part.outcome`: 0 a named gap, 1 pass, 2 fail, 3 uncertain, 9 a verdict that this build does not know.
    /// `part.serial` is null where the part's id is its trigger's. `part.scores` has what each of the recipe's tools scored,
    /// one 32-bit float (IEEE 754, little-endian) after the other; null where there is none.
    private static let inspections = """
        CREATE TABLE part(
            key INTEGER PRIMARY KEY, outcome INTEGER NOT NULL, context INTEGER NOT NULL, recipe INTEGER,
            score REAL NOT NULL, confidence REAL NOT NULL, triggered_at_us INTEGER NOT NULL,
            decided_at_us INTEGER NOT NULL, pixels_sha256 BLOB, serial TEXT, reason TEXT, scores BLOB,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL);
        CREATE INDEX part_by_serial ON part(serial) WHERE serial IS NOT NULL;
        CREATE TABLE defect(
            key INTEGER NOT NULL, ordinal INTEGER NOT NULL, category TEXT NOT NULL, x REAL NOT NULL, y REAL NOT NULL,
            width REAL NOT NULL, height REAL NOT NULL, area REAL NOT NULL, score REAL NOT NULL, tool TEXT NOT NULL,
            severity TEXT NOT NULL, PRIMARY KEY (key, ordinal)) WITHOUT ROWID;
        CREATE TABLE condition(
            key INTEGER NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, unit TEXT NOT NULL,
            PRIMARY KEY (key, ordinal)) WITHOUT ROWID;
        CREATE TABLE part_tally(
            source INTEGER NOT NULL, context INTEGER NOT NULL, accepted INTEGER NOT NULL, rejected INTEGER NOT NULL,
            uncertain INTEGER NOT NULL, missed INTEGER NOT NULL, last_sequence INTEGER NOT NULL,
            PRIMARY KEY (source, context)) WITHOUT ROWID;
        CREATE TABLE part_repeat(
            key INTEGER NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (key, partition, epoch, sequence)) WITHOUT ROWID;
        CREATE TABLE reinspected(
            serial TEXT NOT NULL, station TEXT NOT NULL, PRIMARY KEY (serial, station)) WITHOUT ROWID;
        CREATE TABLE reject_not_commanded(
            part_id TEXT PRIMARY KEY, reason TEXT NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE hold(
            hold_id TEXT PRIMARY KEY, subject_kind INTEGER NOT NULL, subject_id TEXT NOT NULL, reason TEXT NOT NULL,
            defect_category TEXT NOT NULL, part_id TEXT NOT NULL, rule TEXT NOT NULL, context INTEGER NOT NULL,
            at_us INTEGER NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL)
            WITHOUT ROWID;
        CREATE INDEX hold_by_subject ON hold(subject_id);
        CREATE TABLE adopted_context(
            station TEXT PRIMARY KEY, context INTEGER NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE recipe_activated(
            station TEXT NOT NULL, recipe_sha256 TEXT NOT NULL, recipe_id TEXT NOT NULL, revision TEXT NOT NULL,
            control_plan_revision TEXT NOT NULL, model_sha256 TEXT NOT NULL, tools TEXT NOT NULL,
            at_us INTEGER NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (station, recipe_sha256)) WITHOUT ROWID;
        CREATE TABLE recipe_refused(
            station TEXT NOT NULL, recipe_id TEXT NOT NULL, recipe_sha256 TEXT NOT NULL, reason TEXT NOT NULL,
            at_us INTEGER NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (station, recipe_id, recipe_sha256)) WITHOUT ROWID;
        CREATE TABLE feature(
            part_id TEXT NOT NULL, name TEXT NOT NULL, task INTEGER NOT NULL, value REAL NOT NULL, unit TEXT NOT NULL,
            text TEXT NOT NULL, lower_limit REAL, upper_limit REAL, conforms INTEGER NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (part_id, name)) WITHOUT ROWID;
        CREATE TABLE stop_requested(
            stop_id TEXT PRIMARY KEY, line TEXT NOT NULL, station TEXT NOT NULL, part_id TEXT NOT NULL,
            reason TEXT NOT NULL, at_us INTEGER NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL,
            sequence INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE source_inspected(
            station TEXT PRIMARY KEY, triggers INTEGER NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;

        """

    /// `order_step.step`: 1 started, 2 completed.
    private static let production = """
        CREATE TABLE order_released(
            order_id TEXT NOT NULL PRIMARY KEY, line TEXT NOT NULL, context INTEGER NOT NULL, priority INTEGER NOT NULL,
            at_us INTEGER NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL)
            WITHOUT ROWID;
        CREATE TABLE order_step(
            order_id TEXT NOT NULL, step INTEGER NOT NULL, line TEXT NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (order_id, step, line)) WITHOUT ROWID;
        CREATE TABLE line_order(
            line TEXT PRIMARY KEY, state TEXT NOT NULL, order_id TEXT NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE line_context(
            line TEXT PRIMARY KEY, context INTEGER NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE shift(
            line TEXT NOT NULL, shift TEXT NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (line, shift)) WITHOUT ROWID;
        CREATE TABLE batch_closed(
            batch_id TEXT PRIMARY KEY, line TEXT NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE material_loaded(
            line TEXT NOT NULL, material_lot_id TEXT NOT NULL, sku TEXT NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (material_lot_id, line)) WITHOUT ROWID;

        """

    private static let materials = """
        CREATE TABLE material_lot(
            material_lot_id TEXT PRIMARY KEY, sku TEXT NOT NULL, supplier_id TEXT NOT NULL, supplier_lot TEXT NOT NULL,
            purchase_order TEXT NOT NULL, material_document TEXT NOT NULL, quantity REAL NOT NULL, unit TEXT NOT NULL,
            at_us INTEGER NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL)
            WITHOUT ROWID;
        CREATE INDEX material_lot_by_supplier_lot ON material_lot(supplier_lot);
        CREATE INDEX material_lot_by_purchase_order ON material_lot(purchase_order);
        CREATE TABLE shipment(
            shipment_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, customer_order TEXT NOT NULL,
            shipping_document TEXT NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE shipment_batch(
            shipment_id TEXT NOT NULL, batch_id TEXT NOT NULL, PRIMARY KEY (shipment_id, batch_id)) WITHOUT ROWID;
        CREATE INDEX shipment_batch_by_batch ON shipment_batch(batch_id);

        """

    /// `channel`: 1 mes-deliveries, 2 erp-deliveries. `state`: 0 pending, 1 confirmed, 2 refused, 3 skipped.
    /// `effect`: the field number of the effect in `DeliveryIntended`; null while only an outcome is known.
    private static let deliveries = """
        CREATE TABLE delivery(
            channel INTEGER NOT NULL, intent_id TEXT NOT NULL, effect INTEGER, peer TEXT, business_key TEXT,
            subject TEXT, intended_at_us INTEGER, state INTEGER NOT NULL, answer TEXT,
            found_by_look_up INTEGER NOT NULL,
            outcome_at_us INTEGER, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (channel, intent_id)) WITHOUT ROWID;
        CREATE TABLE delivery_tally(
            channel INTEGER PRIMARY KEY, intended INTEGER NOT NULL, confirmed INTEGER NOT NULL,
            refused INTEGER NOT NULL, skipped INTEGER NOT NULL);
        CREATE TABLE peer_state(
            channel INTEGER NOT NULL, peer TEXT NOT NULL, lost INTEGER NOT NULL, reason TEXT NOT NULL,
            at_us INTEGER NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (channel, peer)) WITHOUT ROWID;

        """

    private static let alarms = """
        CREATE TABLE alarm(
            alarm_id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, priority INTEGER NOT NULL,
            text TEXT NOT NULL, response TEXT NOT NULL, raised_at_us INTEGER, returned_at_us INTEGER,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;

        """

    private static let decisions = """
        CREATE TABLE legal_hold(
            legal_hold_id TEXT PRIMARY KEY, person_id TEXT NOT NULL, reason TEXT NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE legal_hold_subject(
            legal_hold_id TEXT NOT NULL, subject_id TEXT NOT NULL, PRIMARY KEY (legal_hold_id, subject_id))
            WITHOUT ROWID;
        CREATE INDEX legal_hold_by_subject ON legal_hold_subject(subject_id);
        CREATE TABLE legal_hold_lifted(
            legal_hold_id TEXT PRIMARY KEY, person_id TEXT NOT NULL, reason TEXT NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE model_trained(
            model_sha256 TEXT PRIMARY KEY, tool TEXT NOT NULL, backbone_sha256 TEXT NOT NULL, pictures INTEGER NOT NULL,
            strata TEXT NOT NULL, training_set_sha256 TEXT NOT NULL, test_set_sha256 TEXT NOT NULL,
            report_sha256 TEXT NOT NULL, good INTEGER NOT NULL, bad INTEGER NOT NULL, escapes INTEGER NOT NULL,
            overkills INTEGER NOT NULL, auroc REAL, active_sha256 TEXT NOT NULL, active_escapes INTEGER NOT NULL,
            active_overkills INTEGER NOT NULL, active_auroc REAL, origin TEXT NOT NULL, licence TEXT NOT NULL,
            person_id TEXT NOT NULL, reason TEXT NOT NULL,
            at_us INTEGER NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL)
            WITHOUT ROWID;
        CREATE TABLE performance_reviewed(
            subject_sha256 TEXT NOT NULL, to_us INTEGER NOT NULL, report_sha256 TEXT NOT NULL, from_us INTEGER NOT NULL,
            conclusion TEXT NOT NULL, person_id TEXT NOT NULL, reason TEXT NOT NULL, at_us INTEGER NOT NULL,
            partition INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (subject_sha256, to_us, report_sha256)) WITHOUT ROWID;

        """

    /// Indexes that only queries use: a rebuild makes them at its end.
    static let queryIndexes = """
        CREATE INDEX part_by_context ON part(context);
        CREATE INDEX delivery_by_subject ON delivery(subject) WHERE effect NOT IN (5, 6);
        CREATE INDEX delivery_refused ON delivery(channel) WHERE state = 2;
        """

    /// Rows and positions commit together; the log is the truth, so the last commits may be lost and read again.
    static let livePragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32768;"

    /// For a file that counts only once it is complete.
    static let rebuildPragmas =
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-65536;"
}
