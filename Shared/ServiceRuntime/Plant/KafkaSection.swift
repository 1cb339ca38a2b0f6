import Foundation
package import KafkaLog

extension PlantFile {
    /// How the plant's programs reach its Kafka; in the file the section `kafka:`. In `user` and in paths, `{service}` stands
    /// for the program's name, so that each has its own identity and rights.
    package struct Kafka: Equatable, Sendable {
        package struct TLS: Equatable, Sendable {
            /// Certificates of the authorities that the brokers' ones come from (PEM); nil for those of the machine.
            package var caFile: String?
            /// The program's own certificate and key (PEM), where the brokers want one (mTLS).
            package var certificateFile: String?
            package var keyFile: String?
            package var keyPassphrase: SecretPlace?

            package init(
                caFile: String? = nil,
                certificateFile: String? = nil,
                keyFile: String? = nil,
                keyPassphrase: SecretPlace? = nil
            ) {
                self.caFile = caFile
                self.certificateFile = certificateFile
                self.keyFile = keyFile
                self.keyPassphrase = keyPassphrase
            }
        }

        package enum Mechanism: String, CaseIterable, Sendable {
            case scramSHA512 = "SCRAM-SHA-512"
            case scramSHA256 = "SCRAM-SHA-256"
            case plain = "PLAIN"
        }

        package struct SASL: Equatable, Sendable {
            package var mechanism: Mechanism
            package var user: String
            package var password: SecretPlace

            package init(mechanism: Mechanism, user: String, password: SecretPlace) {
                self.mechanism = mechanism
                self.user = user
                self.password = password
            }
        }

        package var tls: TLS?
        package var sasl: SASL?
        package var needs: TopicNeeds
        /// The name that brokers know a program by; nil where it follows from `sasl`.
        package var principal: String?

        package init(
            tls: TLS? = nil,
            sasl: SASL? = nil,
            needs: TopicNeeds = TopicNeeds(),
            principal: String? = nil
        ) {
            self.tls = tls
            self.sasl = sasl
            self.needs = needs
            self.principal = principal
        }

        /// The name that brokers know `service` by, as their ACLs write it.
        package func principal(of service: String) -> String {
            let pattern = principal ?? sasl.map { "User:\($0.user)" } ?? "User:lineledger-{service}"
            return pattern.replacing("{service}", with: service)
        }
    }

    /// librdkafka's properties for `service` of this plant, its secrets read.
    /// - Throws: every mistake at once.
    package func kafkaProperties(
        of service: String,
        environment: [String: String]
    ) throws(PlantFileError) -> [String: String] {
        var mistakes: [PlantMistake] = []
        var properties: [String: String] = [:]
        func secret(_ place: SecretPlace, _ key: String) -> String? {
            do {
                return try place.named(for: service).read(environment: environment)
            } catch {
                mistakes.append(
                    PlantMistake(source: "plant file", key: key, found: "\(error)", expected: "the secret there")
                )
                return nil
            }
        }
        func file(_ path: String?, _ key: String, _ property: String) {
            guard let path = path?.replacing("{service}", with: service) else { return }
            properties[property] = path
            guard !FileManager.default.isReadableFile(atPath: path) else { return }
            let found = FileManager.default.fileExists(atPath: path) ? "cannot be read" : "no such file"
            mistakes.append(
                PlantMistake(source: "plant file", key: key, found: "\(path): \(found)", expected: "a PEM file")
            )
        }
        properties["security.protocol"] =
            switch (kafka.tls, kafka.sasl) {
            case (nil, nil): "plaintext"
            case (.some, nil): "ssl"
            case (nil, .some): "sasl_plaintext"
            case (.some, .some): "sasl_ssl"
            }
        if let tls = kafka.tls {
            properties["ssl.endpoint.identification.algorithm"] = "https"
            properties["enable.ssl.certificate.verification"] = "true"
            file(tls.caFile, "kafka.tls.ca_file", "ssl.ca.location")
            file(tls.certificateFile, "kafka.tls.certificate_file", "ssl.certificate.location")
            file(tls.keyFile, "kafka.tls.key_file", "ssl.key.location")
            if let place = tls.keyPassphrase {
                properties["ssl.key.password"] = secret(place, "kafka.tls.key_passphrase")
            }
        }
        if let sasl = kafka.sasl {
            properties["sasl.mechanisms"] = sasl.mechanism.rawValue
            properties["sasl.username"] = sasl.user.replacing("{service}", with: service)
            properties["sasl.password"] = secret(sasl.password, "kafka.sasl.password")
        }
        guard mistakes.isEmpty else { throw PlantFileError(path: "plant file", mistakes: mistakes) }
        return properties
    }
}

extension SecretPlace {
    /// The place for one program: `{service}` in a file's path stands for its name.
    fileprivate func named(for service: String) -> SecretPlace {
        switch self {
        case .environment: self
        case .file(let path): .file(path.replacing("{service}", with: service))
        }
    }
}

extension PlantFile.Kafka {
    /// Reads the section `kafka:`; the default where there is none.
    init(_ top: inout PlantSection, folder: String) {
        self.init()
        guard var section = top.section("kafka", expected: "a mapping with tls, sasl and replication") else { return }
        tls = Self.tls(&section, folder: folder)
        sasl = Self.sasl(&section, folder: folder)
        if sasl?.mechanism == .plain, tls == nil {
            section.refuse(
                "sasl",
                found: "mechanism PLAIN without tls",
                expected: "tls: as well, since PLAIN sends the password as it is; or mechanism: SCRAM-SHA-512"
            )
        }
        needs = TopicNeeds(
            replication: section.optional("replication", .whole(1...15, "replicas of each partition")),
            minInSync: section.optional("min_insync", .whole(1...15, "replicas that must have a record"))
        )
        if let least = needs.minInSync, let replicas = needs.replication, least > replicas {
            section.refuse(
                "min_insync",
                found: "\(least)",
                expected: "no more than replication, which is \(replicas); else nothing can ever be written"
            )
        }
        principal = section.optional("principal", .text)
        section.finish()
    }

    private static func tls(_ kafka: inout PlantSection, folder: String) -> TLS? {
        guard var section = kafka.section("tls", expected: "a mapping with ca_file; {} for the machine's authorities")
        else { return nil }
        let tls = TLS(
            caFile: section.optional("ca_file", .path(from: folder)),
            certificateFile: section.optional("certificate_file", .path(from: folder)),
            keyFile: section.optional("key_file", .path(from: folder)),
            keyPassphrase: section.secret("key_passphrase", folder: folder)
        )
        if tls.certificateFile != nil, tls.keyFile == nil, !section.has("key_file") {
            section.refuse("certificate_file", found: "no key_file with it", expected: "both or neither")
        }
        if tls.keyFile != nil, tls.certificateFile == nil, !section.has("certificate_file") {
            section.refuse("key_file", found: "no certificate_file with it", expected: "both or neither")
        }
        if tls.keyPassphrase != nil, tls.keyFile == nil, !section.has("key_file") {
            let key = section.has("key_passphrase_env") ? "key_passphrase_env" : "key_passphrase_file"
            section.refuse(key, found: "no key_file with it", expected: "a passphrase only beside its key_file")
        }
        section.finish()
        return tls
    }

    private static func sasl(_ kafka: inout PlantSection, folder: String) -> SASL? {
        guard var section = kafka.section("sasl", expected: "a mapping with mechanism, user and password_file") else {
            return nil
        }
        let mechanism = section.required("mechanism", .word(Mechanism.scramSHA512))
        let user = section.required("user", .text)
        let password = section.secret("password", folder: folder)
        if password == nil, !section.has("password_env"), !section.has("password_file") {
            section.refuse("password_file", found: "nothing", expected: "password_env: VARIABLE or password_file: PATH")
        }
        section.finish()
        return SASL(mechanism: mechanism, user: user, password: password ?? .environment(""))
    }
}

extension PlantSection {
    /// The place of a secret, `KEY_env` or `KEY_file`; nil where neither stands there.
    fileprivate mutating func secret(_ key: String, folder: String) -> SecretPlace? {
        let variable = optional("\(key)_env", .environmentName)
        let file = optional("\(key)_file", .path(from: folder))
        if variable != nil, file != nil {
            refuse("\(key)_file", found: "\(key)_env as well", expected: "one of \(key)_env and \(key)_file")
        }
        return variable.map(SecretPlace.environment) ?? file.map(SecretPlace.file)
    }
}
