import CRdKafka
import Synchronization

/// What OpenSSL says of the brokers' certificates; librdkafka's own errors do not tell a foreign issuer from a wrong host name.
final class CertificateTrouble: Sendable {
    private let last = Mutex<String?>(nil)

    /// Why the last certificate was refused; nil while none was.
    var reason: String? { last.withLock { $0 } }

    /// Has the client of this configuration report here; this object must outlive it.
    func watch(_ configuration: OpaquePointer) {
        rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(self).toOpaque())
        rd_kafka_conf_set_ssl_cert_verify_cb(configuration) { _, broker, _, code, _, _, _, _, _, opaque in
            guard let code, let opaque else { return 0 }
            if code.pointee == 0 { return 1 }
            let name = broker.map { String(cString: $0) } ?? "a broker"
            let trouble = Unmanaged<CertificateTrouble>.fromOpaque(opaque).takeUnretainedValue()
            trouble.last.withLock { $0 = "\(name): \(CertificateTrouble.words(code.pointee))" }
            return 0
        }
    }

    /// X509_V_ERR_… of OpenSSL's `x509_vfy.h`, with what to do.
    private static func words(_ code: Int32) -> String {
        switch code {
        case 9: "its certificate is not valid yet; compare the clocks of both machines"
        case 10: "its certificate has expired; renew it"
        case 18, 19, 20, 21:
            "its certificate was issued by nobody trusted here (X.509 error \(code)); name the plant's CA in "
                + "kafka.tls.ca_file"
        case 23: "its certificate was revoked"
        case 62: "its certificate is for another host name; use the name in the certificate, or add this one to it"
        case 64: "its certificate is for another IP address; use the name in the certificate, or add this one to it"
        default: "its certificate was refused (X.509 error \(code))"
        }
    }
}
