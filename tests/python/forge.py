"""Tokens that another library makes, and forgeries of them: prints what `tests/suite/auth/pyjwt.rs` reads.

{"settings": {...}, "classes": [{"class": ..., "forged": ..., "twin": ...}]}
"""

import base64
import hashlib
import hmac
import json
import time
import warnings

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

ISSUER, AUDIENCE = "https://issuer.example", "shop"
SECRET = "the secret that PyJWT and kinoko share"
NOW = int(time.time())
# Of keys that are too short for what is forged with them.
warnings.simplefilter("ignore")


def private(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


KEYS = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
OTHERS = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def claims(**changed):
    whole = {"sub": "ada", "iss": ISSUER, "aud": AUDIENCE, "iat": NOW, "exp": NOW + 600}
    whole.update(changed)
    return {name: value for name, value in whole.items() if value is not None}


def sign(algorithm, key=None, kid=None, headers=None, **changed):
    key = key or (SECRET if algorithm.startswith("HS") else private(KEYS[algorithm]))
    headers = {"kid": kid or algorithm.lower(), **(headers or {})}
    return jwt.encode(claims(**changed), key, algorithm=algorithm, headers=headers)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hs256_by_hand(secret, header, payload):
    """PyJWT refuses to sign with a public key: an attacker does not."""
    signed = b64(json.dumps(header).encode()) + "." + b64(json.dumps(payload).encode())
    return signed + "." + b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())


def none_by_hand(alg, payload):
    return b64(json.dumps({"alg": alg, "typ": "JWT"}).encode()) + "." + b64(json.dumps(payload).encode()) + "."


def classes():
    for algorithm in ["HS256", "RS256", "ES256", "EdDSA"]:
        twin = sign(algorithm)
        header, payload, signature = twin.split(".")
        yield f"{algorithm}: alg none by PyJWT", jwt.encode(claims(), None, algorithm="none"), twin
        yield f"{algorithm}: alg nOnE", none_by_hand("nOnE", claims()), twin
        yield f"{algorithm}: no signature", f"{header}.{payload}.", twin
        yield f"{algorithm}: cut short", twin[:-6], twin
        yield f"{algorithm}: padded", twin + "==", twin
        other = sign(algorithm, sub="root")
        yield f"{algorithm}: another payload", f"{header}.{other.split('.')[1]}.{signature}", twin
        stranger = "a secret that nobody here has told" if algorithm == "HS256" else private(OTHERS[algorithm])
        yield f"{algorithm}: another key", sign(algorithm, key=stranger), twin
        yield f"{algorithm}: another kid", sign(algorithm, kid="nobody"), twin
        yield f"{algorithm}: kid that is a path", sign(algorithm, kid="../../etc/passwd"), twin
        yield f"{algorithm}: expired", sign(algorithm, exp=NOW - 60), sign(algorithm, exp=NOW - 10)
        yield f"{algorithm}: no exp", sign(algorithm, exp=None), twin
        yield f"{algorithm}: not yet", sign(algorithm, nbf=NOW + 90), sign(algorithm, nbf=NOW + 10)
        yield f"{algorithm}: issued later", sign(algorithm, iat=NOW + 90), sign(algorithm, iat=NOW + 10)
        yield f"{algorithm}: another issuer", sign(algorithm, iss="https://evil.example"), twin
        yield f"{algorithm}: no issuer", sign(algorithm, iss=None), twin
        yield f"{algorithm}: for others", sign(algorithm, aud="bank"), sign(algorithm, aud=["bank", AUDIENCE])
        yield f"{algorithm}: for nobody", sign(algorithm, aud=None), twin
        yield f"{algorithm}: no sub", sign(algorithm, sub=None), twin
        yield f"{algorithm}: crit", sign(algorithm, headers={"crit": ["x"], "x": 1}), twin
        yield f"{algorithm}: too large", sign(algorithm, pad="x" * 9000), sign(algorithm, pad="x" * 3000)
        yield f"{algorithm}: of a refresh", sign(algorithm, headers={"typ": "rt+jwt"}), sign(algorithm, headers={"typ": "at+jwt"})
    for algorithm in ["RS256", "ES256", "EdDSA"]:
        twin, pem = sign(algorithm), public(KEYS[algorithm])
        der = KEYS[algorithm].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for name, secret in [("PEM", pem.encode()), ("PEM without its last line break", pem.strip().encode()), ("DER", der)]:
            for kid in [algorithm.lower(), None]:
                header = {"alg": "HS256", "typ": "JWT", **({"kid": kid} if kid else {})}
                yield f"{algorithm}: its public key as a secret, {name}, kid {kid}", hs256_by_hand(secret, header, claims()), twin
        yield f"{algorithm}: signed as another", sign("HS256", kid=algorithm.lower()), twin
    yield "RS512 for a key of RS256", sign("RS512", key=private(KEYS["RS256"]), kid="rs256"), sign("RS256")
    yield "PS256 for a key of RS256", sign("PS256", key=private(KEYS["RS256"]), kid="rs256"), sign("RS256")
    yield "HS512 for a key of HS256", sign("HS512", kid="hs256"), sign("HS256")


keys = [{"algorithm": "HS256", "kid": "hs256", "secret": SECRET}]
keys += [{"algorithm": name, "kid": name.lower(), "public_key": public(key)} for name, key in KEYS.items()]
settings = {"keys": keys, "issuer": ISSUER, "audience": AUDIENCE}
listed = [{"class": name, "forged": forged, "twin": twin} for name, forged, twin in classes()]
jwks = {"keys": [json.loads(jwt.get_algorithm_by_name(name).to_jwk(key.public_key())) for name, key in KEYS.items()]}
private_keys = [{"algorithm": name, "kid": name, "private_key": private(key)} for name, key in KEYS.items()]
print(json.dumps({"settings": settings, "classes": listed, "jwks": jwks, "private_keys": private_keys}))
