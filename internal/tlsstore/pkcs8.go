package tlsstore

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
)

var (
	errBadPassword = errors.New("the password is wrong, or the file is damaged")
	errDamaged     = errors.New("it is damaged")
)

// maxIterations bounds what a file may ask for to make a key of a password: openssl asks for 2,048, keytool for 10,000.
var maxIterations = 2_000_000

type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2 struct{ Derivation, Encryption pkix.AlgorithmIdentifier }

type pbkdf2Parameters struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// ciphersOf are the encryptions of PBES2 (RFC 8018) that openssl and Java write.
var ciphersOf = map[string]struct {
	key int
	new func([]byte) (cipher.Block, error)
}{
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
}

var hashesOf = map[string]func() hash.Hash{
	"":                    sha1.New, // the default
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

// decryptPKCS8 reads an EncryptedPrivateKeyInfo (RFC 5958) with PBES2 and PBKDF2.
func decryptPKCS8(der, password []byte) (crypto.PrivateKey, error) {
	var sealed encryptedKey
	if rest, err := asn1.Unmarshal(der, &sealed); err != nil || len(rest) > 0 {
		return nil, errDamaged
	}
	const isPBES2, isPBKDF2 = "1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12"
	if id := sealed.Algorithm.Algorithm.String(); id != isPBES2 {
		return nil, fmt.Errorf("it is encrypted with algorithm %s, and PBES2 alone is read: openssl pkcs8 -topk8 -v2 aes-256-cbc converts it", id)
	}
	var scheme pbes2
	if _, err := asn1.Unmarshal(sealed.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, errDamaged
	}
	if id := scheme.Derivation.Algorithm.String(); id != isPBKDF2 {
		return nil, fmt.Errorf("its password is derived with algorithm %s, and PBKDF2 alone is read", id)
	}
	var how pbkdf2Parameters
	if _, err := asn1.Unmarshal(scheme.Derivation.Parameters.FullBytes, &how); err != nil {
		return nil, errDamaged
	}
	newHash := hashesOf[how.PRF.Algorithm.String()]
	with, known := ciphersOf[scheme.Encryption.Algorithm.String()]
	switch {
	case newHash == nil:
		return nil, fmt.Errorf("its password is derived with %s, which is not known here", how.PRF.Algorithm)
	case !known:
		return nil, fmt.Errorf("it is encrypted with cipher %s: AES and triple DES in CBC are read", scheme.Encryption.Algorithm)
	case how.Iterations < 1 || how.Iterations > maxIterations:
		return nil, fmt.Errorf("%d iterations are not within 1 to %d", how.Iterations, maxIterations)
	}
	var iv []byte
	if _, err := asn1.Unmarshal(scheme.Encryption.Parameters.FullBytes, &iv); err != nil {
		return nil, errDamaged
	}
	secret, err := pbkdf2.Key(newHash, string(password), how.Salt, how.Iterations, with.key)
	if err != nil {
		return nil, err
	}
	block, err := with.new(secret)
	if err != nil {
		return nil, err
	}
	plain, err := decryptCBC(block, iv, sealed.Data)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, errBadPassword
	}
	return key, nil
}

// decryptCBC decrypts, and takes the padding away.
func decryptCBC(block cipher.Block, iv, data []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, errDamaged
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > size {
		return nil, errBadPassword
	}
	return plain[:len(plain)-padding], nil
}
