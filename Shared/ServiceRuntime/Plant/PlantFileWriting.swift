import KafkaLog
import PlantCore
import Vision

extension PlantFile {
    /// The plant as a plant file; reading it again gives the same plant wherever it is put, since its paths are absolute.
    package func yaml() -> String {
        var out = YAMLWriter()
        out.line("enterprise", .word(enterprise))
        out.line("site", .word(site))
        out.line("area", .word(area))
        out.line("log", .word(log))
        out.line("state", .word(state))
        out.line("http", .plain("\(http)"))
        out.line("partitions", .plain("\(partitions)"))
        out.line("shift", .word(shift))
        out.items("lines", lines) { out, line in
            out.line("id", .word(line.id))
            out.items("stations", line.stations, Self.write)
        }
        if let mes { out.block("mes") { Self.write(&$0, mes) } }
        if let erp { out.block("erp") { Self.write(&$0, erp) } }
        if !orders.isEmpty { out.items("orders", orders, Self.write) }
        out.block("alerting") { out in
            out.block("burst") { out in
                out.line("failures", .plain("\(alerting.burstFailures)"))
                out.line("window", .plain("\(alerting.burstWindow)"))
            }
            out.line("silent_after_seconds", .plain("\(alerting.silentAfterSeconds)"))
        }
        out.block("evidence") { Self.write(&$0, evidence) }
        out.block("recipes") { out in
            out.line("approval", .plain(recipes.approval.rawValue))
            out.line("budget_bytes", .plain("\(recipes.budgetBytes)"))
            out.line("review_days", .plain("\(recipes.reviewDays)"))
        }
        if kafka != Kafka() { out.block("kafka") { Self.write(&$0, kafka) } }
        if let uplink {
            out.block("uplink") { out in
                out.line("to", .word(uplink.to))
                out.line("up", .list(uplink.up))
                out.line("down", .list(uplink.down))
            }
        }
        return out.text
    }

    private static func write(_ out: inout YAMLWriter, _ kafka: Kafka) {
        if let tls = kafka.tls {
            out.block("tls", isEmpty: tls == Kafka.TLS()) { out in
                if let path = tls.caFile { out.line("ca_file", .word(path)) }
                if let path = tls.certificateFile { out.line("certificate_file", .word(path)) }
                if let path = tls.keyFile { out.line("key_file", .word(path)) }
                if let place = tls.keyPassphrase { write(&out, "key_passphrase", place) }
            }
        }
        if let sasl = kafka.sasl {
            out.block("sasl") { out in
                out.line("mechanism", .plain(sasl.mechanism.rawValue))
                out.line("user", .word(sasl.user))
                write(&out, "password", sasl.password)
            }
        }
        if let replicas = kafka.needs.replication { out.line("replication", .plain("\(replicas)")) }
        if let least = kafka.needs.minInSync { out.line("min_insync", .plain("\(least)")) }
        if let principal = kafka.principal { out.line("principal", .word(principal)) }
    }

    private static func write(_ out: inout YAMLWriter, _ key: String, _ place: SecretPlace) {
        switch place {
        case .environment(let name): out.line("\(key)_env", .word(name))
        case .file(let path): out.line("\(key)_file", .word(path))
        }
    }

    private static func write(_ out: inout YAMLWriter, _ station: Station) {
        out.line("id", .word(station.id))
        out.block("camera") { Self.write(&$0, station.camera) }
        if station.watch != Watch() { out.block("watch") { Self.write(&$0, station.watch) } }
        out.line("rate", .plain("\(station.rate)"))
        if let parts = station.parts { out.line("parts", .plain("\(parts)")) }
        out.line("io", .word(station.io.rawValue))
        out.line("recipe", .word(station.recipe))
        if !station.recipes.isEmpty { out.line("recipes", .list(station.recipes)) }
        if let partition = station.partition { out.line("partition", .plain("\(partition)")) }
    }

    private static func write(_ out: inout YAMLWriter, _ camera: Camera) {
        switch camera {
        case .folder(let path, let loop):
            out.line("kind", .plain("folder"))
            out.line("path", .word(path))
            out.line("loop", .plain("\(loop)"))
        case .scene(let seed, let defectRate, let size):
            out.line("kind", .plain("scene"))
            out.line("seed", .plain("\(seed)"))
            out.line("defect_rate", .plain("\(defectRate)"))
            out.line("size", .plain("\(size)"))
        case .clip(let path, let loop):
            out.line("kind", .plain("clip"))
            out.line("path", .word(path))
            out.line("loop", .plain("\(loop)"))
        case .v4l2(let camera): write(&out, camera)
        case .gige(let camera): write(&out, camera)
        }
    }

    private static func write(_ out: inout YAMLWriter, _ camera: V4L2) {
        out.line("kind", .plain("v4l2"))
        out.line("device", .word(camera.device))
        out.line("trigger", .plain(camera.trigger.rawValue))
        if let width = camera.width { out.line("width", .plain("\(width)")) }
        if let height = camera.height { out.line("height", .plain("\(height)")) }
        if let format = camera.format { out.line("format", .word(format)) }
        if let rate = camera.frameRate { out.line("frame_rate", .plain("\(rate)")) }
        if let exposure = camera.exposureUs { out.line("exposure_us", .plain("\(exposure)")) }
        if let gain = camera.gain { out.line("gain", .plain("\(gain)")) }
        if let kelvin = camera.whiteBalanceK { out.line("white_balance_k", .plain("\(kelvin)")) }
        out.block("controls", isEmpty: camera.controls.isEmpty) { out in
            for (name, value) in camera.controls.sorted(by: { $0.key < $1.key }) { out.line(name, .plain("\(value)")) }
        }
    }

    private static func write(_ out: inout YAMLWriter, _ camera: GigE) {
        out.line("kind", .plain("gige"))
        out.line("address", .word(camera.address))
        out.line("trigger", .plain(camera.trigger.rawValue))
        out.line("trigger_source", .word(camera.triggerSource))
        if let width = camera.width { out.line("width", .plain("\(width)")) }
        if let height = camera.height { out.line("height", .plain("\(height)")) }
        out.line("offset_x", .plain("\(camera.offsetX)"))
        out.line("offset_y", .plain("\(camera.offsetY)"))
        if let format = camera.format { out.line("format", .word(format)) }
        if let rate = camera.frameRate { out.line("frame_rate", .plain("\(rate)")) }
        if let exposure = camera.exposureUs { out.line("exposure_us", .plain("\(exposure)")) }
        if let gain = camera.gain { out.line("gain", .plain("\(gain)")) }
        if let size = camera.packetSize { out.line("packet_size", .plain("\(size)")) }
        out.line("buffers", .plain("\(camera.buffers)"))
        out.block("features", isEmpty: camera.features.isEmpty) { out in
            for (name, value) in camera.features.sorted(by: { $0.key < $1.key }) { out.line(name, .word(value)) }
        }
    }

    private static func write(_ out: inout YAMLWriter, _ connector: Connector) {
        out.line("kind", .plain(connector.kind.rawValue))
        out.line("url", .word(connector.url))
        if let token = connector.token { write(&out, "token", token) }
        out.line("timeout_ms", .plain("\(connector.timeoutMs)"))
        out.line("poll_ms", .plain("\(connector.pollMs)"))
    }

    private static func write(_ out: inout YAMLWriter, _ order: Order) {
        out.line("order_id", .word(order.orderID))
        out.line("line", .word(order.line))
        out.line("sku", .word(order.sku))
        out.line("batch", .word(order.batchID))
        if !order.variant.isEmpty { out.line("variant", .word(order.variant)) }
        if !order.customerOrder.isEmpty { out.line("customer_order", .word(order.customerOrder)) }
        out.line("target_quantity", .plain("\(order.targetQuantity)"))
        out.line("recipe", .word(order.recipeID))
        if !order.materialLots.isEmpty { out.line("material_lots", .list(order.materialLots)) }
        if !order.customerRequirements.isEmpty {
            out.line("customer_requirements", .list(order.customerRequirements))
        }
        if !order.controlPlanRevision.isEmpty { out.line("control_plan", .word(order.controlPlanRevision)) }
    }
}

/// Writes the block style of YAML that a plant file uses.
struct YAMLWriter {
    enum Scalar {
        /// Written as it is.
        case plain(String)
        /// Written in quotation marks.
        case word(String)
        case list([String])
    }

    private(set) var text = ""
    private var indent = 0
    /// Set when the next line is the first of a list's item.
    private var beginsItem = false

    mutating func line(_ key: String, _ value: Scalar) {
        switch value {
        case .plain(let text): append("\(key): \(text)")
        case .word(let text): append("\(key): \(Self.quoted(text))")
        case .list(let texts): append("\(key): [\(texts.map(Self.quoted).joined(separator: ", "))]")
        }
    }

    mutating func block(_ key: String, isEmpty: Bool = false, _ body: (inout YAMLWriter) -> Void) {
        append(isEmpty ? "\(key): {}" : "\(key):")
        indent += 2
        body(&self)
        indent -= 2
    }

    mutating func items<Item>(_ key: String, _ items: [Item], _ body: (inout YAMLWriter, Item) -> Void) {
        append("\(key):")
        indent += 4
        for item in items {
            beginsItem = true
            body(&self, item)
        }
        indent -= 4
    }

    private mutating func append(_ line: String) {
        let margin = String(repeating: " ", count: beginsItem ? indent - 2 : indent)
        text += "\(margin)\(beginsItem ? "- " : "")\(line)\n"
        beginsItem = false
    }

    /// Double-quoted style (YAML 1.1, 5.5 and 9.1): the same escapes as JSON.
    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.value == 0xFEFF:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
