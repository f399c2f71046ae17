"""What PyJWT makes of tokens: reads {"jwks": ..., "tokens": [...]}, prints their claims, as a library that knows nothing of kinoko."""

import json
import sys

import jwt

asked = json.load(sys.stdin)
keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(asked["jwks"]).keys}
claims = []
for token in asked["tokens"]:
    header = jwt.get_unverified_header(token)
    key = keys[header["kid"]]
    claims.append(jwt.decode(token, key, algorithms=[key.algorithm_name], options={"require": ["exp", "iat", "sub", "jti"]}))
print(json.dumps(claims))
