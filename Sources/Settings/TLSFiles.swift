/// What nginx proves its name with.
package struct TLSFiles: Sendable, Equatable {
    /// The certificate and those that lead to its root, in PEM.
    package let certificate: String
    package let key: String
}

extension SettingsReader {
    mutating func tlsFiles() throws(SettingsError) -> TLSFiles? {
        let certificate = try nginxFile(
            "tls_certificate",
            "The certificate with its chain, in PEM; with it nginx speaks HTTPS (TLS 1.2 and 1.3, HTTP/2) and nothing else")
        let key = try nginxFile("tls_certificate_key", "Its private key, in PEM, which nobody but the user that starts nginx need read")
        switch (certificate, key) {
        case (nil, nil): return nil
        case (let certificate?, let key?): return TLSFiles(certificate: certificate, key: key)
        case (nil, _): throw refusal("tls_certificate_key", accepted: "none while TLS_CERTIFICATE is none")
        case (_, nil): throw refusal("tls_certificate_key", accepted: "the path of the key of TLS_CERTIFICATE")
        }
    }
}
