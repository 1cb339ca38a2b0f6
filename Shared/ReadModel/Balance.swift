import SQLite

/// Whether every trigger of one source is accounted for (M02, I1).
package struct SourceBalance: Codable, Sendable, Equatable {
    package let station: String
    package let session: Int64
    package let triggers: Int64
    package let frames: Int64
    /// Triggers without a picture, named.
    package let framesMissed: Int64
    package let verdicts: Int64
    /// Parts without a verdict, named.
    package let gaps: Int64
    /// Triggers that have neither a verdict nor a named gap: in work, or lost.
    package let open: Int64
    /// Verdicts and gaps whose trigger has not been read.
    package let waiting: Int64
    /// Numbers below the last one that no record names.
    package let unrecorded: Int64
}

/// Triggers against verdicts and named gaps; an imbalance is named, never averaged away.
package struct Balance: Codable, Sendable, Equatable {
    package var triggers: Int64 = 0
    package var frames: Int64 = 0
    package var framesMissed: Int64 = 0
    package var verdicts: Int64 = 0
    package var gaps: Int64 = 0
    package var open: Int64 = 0
    package var waiting: Int64 = 0
    package var unrecorded: Int64 = 0
    /// Second records for a trigger that had one.
    package var repeated: Int64 = 0
    package var sources: [SourceBalance] = []
    /// What is out of balance, at most `namedLimit` lines.
    package var named: [String] = []

    package static let namedLimit = 50
}

extension Queries {
    /// The parts balance over all sources.
    package func balance() throws -> Balance {
        try snapshot { try computeBalance() }
    }

    func computeBalance() throws -> Balance {
        var balance = Balance()
        for totals in try sourceTotals() {
            let source = try self.balance(of: totals, &balance.named)
            balance.triggers += source.triggers
            balance.frames += source.frames
            balance.framesMissed += source.framesMissed
            balance.verdicts += source.verdicts
            balance.gaps += source.gaps
            balance.open += source.open
            balance.waiting += source.waiting
            balance.unrecorded += source.unrecorded
            balance.sources.append(source)
        }
        for table in ["trigger_repeat", "part_repeat"] {
            let what = table == "trigger_repeat" ? "frame" : "verdict"
            let repeats = try rows(
                """
                SELECT s.station, s.session, r.key & \(Schema.sequenceMask), r.partition, r.epoch, r.sequence
                FROM \(table) r JOIN source s ON s.id = r.key >> \(Schema.sequenceBits) ORDER BY 1, 2, 3, 4, 5, 6
                """
            ) { row in
                "\(row.text(0))/\(row.int(1))/\(row.int(2)): a second \(what) record, "
                    + "partition \(row.int(3)) epoch \(row.int(4)) sequence \(row.int(5)), does not count"
            }
            balance.repeated += Int64(repeats.count)
            balance.named += repeats.prefix(max(0, Balance.namedLimit - balance.named.count))
        }
        return balance
    }

    private struct SourceTotals {
        let id: Int64
        let station: String
        let session: Int64
        let triggers: Int64
        let missed: Int64
        let lastTrigger: Int64
        let verdicts: Int64
        let gaps: Int64
        let lastPart: Int64

        var parts: Int64 { verdicts + gaps }
        /// Whether both are numbered without holes, so that what is missing is at the end.
        var isDense: Bool { triggers == lastTrigger + 1 && parts == lastPart + 1 }
    }

    private func sourceTotals() throws -> [SourceTotals] {
        try rows(
            """
            SELECT s.id, s.station, s.session, coalesce(t.triggers, 0), coalesce(t.missed, 0),
                coalesce(t.last_sequence, -1), coalesce(p.verdicts, 0), coalesce(p.gaps, 0), coalesce(p.last, -1)
            FROM source s LEFT JOIN trigger_tally t ON t.source = s.id
            LEFT JOIN (
                SELECT source, sum(accepted + rejected + uncertain) AS verdicts, sum(missed) AS gaps,
                    max(last_sequence) AS last
                FROM part_tally GROUP BY source) p ON p.source = s.id
            ORDER BY s.station, s.session
            """
        ) { row in
            SourceTotals(
                id: row.int(0),
                station: row.text(1),
                session: row.int(2),
                triggers: row.int(3),
                missed: row.int(4),
                lastTrigger: row.int(5),
                verdicts: row.int(6),
                gaps: row.int(7),
                lastPart: row.int(8)
            )
        }
    }

    private func balance(of totals: SourceTotals, _ named: inout [String]) throws -> SourceBalance {
        let name = "\(totals.station)/\(totals.session)"
        var open = max(0, totals.lastTrigger - totals.lastPart)
        var waiting = max(0, totals.lastPart - totals.lastTrigger)
        var unrecorded: Int64 = 0
        if totals.isDense {
            note(&named, name, totals.lastPart + 1..<max(totals.lastPart, totals.lastTrigger) + 1, "no verdict yet")
            note(
                &named,
                name,
                totals.lastTrigger + 1..<max(totals.lastPart, totals.lastTrigger) + 1,
                "no frame record yet"
            )
        } else {
            let first = totals.id << Schema.sequenceBits
            let orphans = try self.orphans("trigger", "part", first)
            let strangers = try self.orphans("part", "trigger", first)
            open = orphans.count
            waiting = strangers.count
            for sequence in orphans.first { note(&named, name, sequence..<sequence + 1, "no verdict and no named gap") }
            for sequence in strangers.first { note(&named, name, sequence..<sequence + 1, "no frame record") }
            unrecorded = max(totals.lastTrigger, totals.lastPart) + 1 - totals.triggers - waiting
            if unrecorded > 0 {
                note(&named, name, 0..<1, "\(unrecorded) trigger numbers have no record at all", isWhole: true)
            }
        }
        return SourceBalance(
            station: totals.station,
            session: totals.session,
            triggers: totals.triggers,
            frames: totals.triggers - totals.missed,
            framesMissed: totals.missed,
            verdicts: totals.verdicts,
            gaps: totals.gaps,
            open: open,
            waiting: waiting,
            unrecorded: unrecorded
        )
    }

    /// Rows of one table of a source without their row in the other.
    private func orphans(_ table: String, _ other: String, _ first: Int64) throws -> (count: Int64, first: [Int64]) {
        let missing = try rows(
            """
            SELECT a.key & \(Schema.sequenceMask) FROM \(table) a LEFT JOIN \(other) b ON b.key = a.key
            WHERE a.key BETWEEN ? AND ? AND b.key IS NULL ORDER BY a.key
            """,
            .int(first),
            .int(first | Schema.sequenceMask)
        ) { $0.int(0) }
        return (Int64(missing.count), Array(missing.prefix(Balance.namedLimit)))
    }

    private func note(
        _ named: inout [String],
        _ source: String,
        _ sequences: Range<Int64>,
        _ what: String,
        isWhole: Bool = false
    ) {
        for sequence in sequences.prefix(max(0, Balance.namedLimit - named.count)) {
            named.append(isWhole ? "\(source): \(what)" : "\(source)/\(sequence): \(what)")
        }
    }
}
