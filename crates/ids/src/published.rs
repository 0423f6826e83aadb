//! Published secrets, from the samples, tests and documentation of S3 servers. This file holds only their hashes.

use aws_lc_rs::digest::{SHA256, digest};

const AWS: &str = "AWS's documentation pages";
const MINIO: &str = "MinIO's documentation pages";
const RUSTFS: &str = "RustFS's documentation pages";
const SEAWEEDFS: &str = "SeaweedFS's samples and tests";

/// Where this secret is published; `None` if it is not a known one. It may be a secret access key, the bytes of a
/// signing key, or the text that encodes them.
pub fn published_in(secret: &[u8]) -> Option<&'static str> {
    let hash = digest(&SHA256, secret);
    let found = PUBLISHED.binary_search_by(|(known, _)| compare(known, hash.as_ref())).ok()?;
    PUBLISHED.get(found).map(|(_, place)| *place)
}

fn compare(known: &str, hash: &[u8]) -> std::cmp::Ordering {
    let digit = |byte: u8| char::from_digit(byte.into(), 16).unwrap_or('0');
    known.chars().cmp(hash.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]))
}

/// SHA-256 of each secret, sorted, and where it is published.
const PUBLISHED: &[(&str, &str)] = &[
    ("1244779d5b9aff53fc09da805ac31434617d93c9888b2f31ea61eecbfabf69b1", SEAWEEDFS),
    ("17381366a5f171ddd68d5025f2e6cd341c0d207faa676b8fd4d31f7d89bc8a0a", MINIO),
    ("179c076ac522159dbbd50d4f1d84faf05551fe5b59d7e5824a800d46559fb1d1", MINIO),
    ("2448957e161861d8a395d35f441d1dd67137ff4c6795dfab4cc85c6d019a2ecc", SEAWEEDFS),
    ("2ceac6f36363c6246a64cca805cd43ca7a01b14eb2fcc532ceec3f60f2f7df1c", SEAWEEDFS),
    ("2e5f9bb6d93ed671ebeee5f62cdfabaffb06821baa7154cd857ccc1f52e81599", SEAWEEDFS),
    ("2eae0511df4e58ec738ec1f8661a46876269c0b5534fbf993af0cdc23b54949c", SEAWEEDFS),
    ("3c95c18d7cadf454231cc82c95017e83012be21b3715189b93d47d2edf2d9dba", MINIO),
    ("41378edd78a1f55bbebad3027db8129c187d713b0b6a1b0bf7df0f6e8cb60191", SEAWEEDFS),
    ("4b2749162a814be09182ea7f6a1070d7f1052e525a0142c6ac92a4e8ecc3108f", MINIO),
    ("58ca010318532729dca8006cc24f7761398bdd886a00408c4f61b5e3faf12716", SEAWEEDFS),
    ("597007cb963a6502dab63cabe50a78a4a513198b32e3b4335188502551789e95", SEAWEEDFS),
    ("5dd3dedc98b5887fe0a0f2ac86f625f556dd9d8c54d0b1e4bd2af2ab4dc85345", SEAWEEDFS),
    ("631ed495298765e9882096ca3aa268aca2b755ebaa4ed5b58358541e170913a1", SEAWEEDFS),
    ("632a191672e87b8e973617f6b3eddb59e3ac92f606b9e568afd71dd77604f6ed", SEAWEEDFS),
    ("647f7143af14706273d54740603644de5cb9abb42a76b7a0d32a48c9261860c5", AWS),
    ("6567d5b779713b548479c9c491bcd6087f8cf05134a1c46104ddd17f01ea4236", SEAWEEDFS),
    ("6c43ce3488fbf2fea53d248cfba6f2a891b607b3ff96226c25992b7e8c76da0f", MINIO),
    ("70f68f7d28fcccb9a266f521b97ceb7f180b586fe1327a9eace3a2450f92ba82", SEAWEEDFS),
    ("76101b3fa68d5c4853603adf341aae9b077dcb189cee525f79874b6dd175987d", SEAWEEDFS),
    ("78314b11be2e581549ac1c4f616563fad3fdf0c3b71678f6e2299182080e0598", AWS),
    ("78a5851af081d27601cd6494ff68cfd73562208d47c83b6306ba44b2bd4f6645", SEAWEEDFS),
    ("7b103a4ccd13a7792ae04dc50461c754af2dc03a6f7cbadc447525aaba5fda75", SEAWEEDFS),
    ("81bd955af2faad92e7a05d00a3f0a0bb8723d50801aabb2b666680e96bc08f34", SEAWEEDFS),
    ("830e893c7dddb007a29fe3188ccd972b858f4e7ed8674cc6fd29b8761ce1b0d5", SEAWEEDFS),
    ("8af148c12025605462afec24074be14fb4781056573d5490e6282dc1d977981f", RUSTFS),
    ("8e46e6e2a59fc87c9f602a6b5f008bea06b2ec9563a322b135e70125c01513cb", SEAWEEDFS),
    ("90ece93c9cc1a1f4c6d917569a2f9ef56bd6f6253e00b5e8efc20e2e821903dd", SEAWEEDFS),
    ("92b51320647ff0b42fb60abb20eac7237b4c4ca1c435ef3597b45c51429b0438", SEAWEEDFS),
    ("98d3230918113be44900a1dcbfddca80a5c907a9e2192d14f08f0052ddbb88fc", SEAWEEDFS),
    ("9c242ad80dc93d001d39cb0563b163af2eba523eb02acf39d6132cec38bc7bfc", SEAWEEDFS),
    ("a2f4a81c751dac093d49d4cfd9e0feee67bbdfc1c81ab00ead020db17ab0721a", SEAWEEDFS),
    ("a3d3a8f1681bf5bd6f8ef741d2e66b6b8587b1e2d81f4e70da432cc4fa459192", SEAWEEDFS),
    ("a4b987b89d1a6f1d3aaa920d2673471a74fa07df6cf79eb9ca1ecdd92cd80e63", SEAWEEDFS),
    ("ad9858116e63b0c5a4d7dc7f50f034c7247e56838dae22c1832712ffde48e694", MINIO),
    ("b81e10d403c42a2b07f368d793609d75afeedcc9f0eba4b8970219250b3eb998", SEAWEEDFS),
    ("baf6fbc2aa9ca21f5bc7278c134082587c0128bff7b9fc490c76ed5e4eef9fd2", SEAWEEDFS),
    ("c12237dd3627d8c218116cfdab5d8ead4be4999c882c266401dc9bca931d154c", SEAWEEDFS),
    ("caff08160ade4cd738f9531dbd2ed33c12715abb402296f3479170f626bc7f56", SEAWEEDFS),
    ("da7ad6610ba8f04fc00a5286e12321abfbb97f287795ca8c3e7534dfbbaa30dd", SEAWEEDFS),
    ("de58de86dca30d8b2476fdf7e2932a8acbd6443ec35b0f78c9fee9157b167298", SEAWEEDFS),
    ("df452eef23e8cf2c74af54c0c7419c05a5ec70ef4d5c2eb04082b02af8c55598", MINIO),
    ("e07f26105d62dff92b11eaa98ad1493b043cfcfc8449f8c262ead7a757fcc7de", SEAWEEDFS),
    ("e21b597ba6b9cafa59d9ebc4d65c0385f5eb3fa56abab2607fa76589ad849a33", AWS),
    ("e8a0614b6747a06ff9a2728dd2250bf13068310cd2550ebc3cecd4d287a4e259", AWS),
    ("eccb52e4a4e4794464f55e894abfe8e9585eb000feeca0857fd5f93d38635d03", SEAWEEDFS),
    ("ee0280c57c8f63107dc317ebcf5242bafc9eb80a4913630bbb0a1d5bc56f69c2", SEAWEEDFS),
    ("f4f711e37245738088f9dff0996ad4f213985ae315193f934792e5c390c78454", SEAWEEDFS),
    ("f8577d37397676fa287877621da94b7e5836f1ea1a48df65289a252b7b7c9a3a", SEAWEEDFS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_secrets_are_known() {
        assert!(PUBLISHED.is_sorted_by(|a, b| a.0 < b.0) && PUBLISHED.iter().all(|(hash, _)| hash.len() == 64));
        for (secret, place) in [
            ("some_secret_key1", Some(SEAWEEDFS)),
            ("some_secret_key2", Some(SEAWEEDFS)),
            ("test-signing-key-32-characters-long", Some(SEAWEEDFS)),
            ("dGVzdC1zaWduaW5nLWtleS0zMi1jaGFyYWN0ZXJzLWxvbmc=", Some(SEAWEEDFS)),
            ("seaweedfs-signing-key-32-chars-long", Some(SEAWEEDFS)),
            ("base64-encoded-signing-key", Some(SEAWEEDFS)),
            ("abcdefghijklmnopqrstuvwxyzabcdefghijklmn", Some(SEAWEEDFS)),
            ("minioadmin", Some(MINIO)),
            ("rustfsadmin", Some(RUSTFS)),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Some(AWS)),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY", Some(AWS)),
            ("je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY", Some(AWS)),
            ("MinioAdmin", None),
            ("minioadmin ", None),
            ("", None),
            ("0sMtkQJyJ3Qd6q6Cz3kqLh1X8v9yF2aB7nRw5tEu", None),
        ] {
            assert_eq!(published_in(secret.as_bytes()), place, "{secret}");
        }
    }
}
