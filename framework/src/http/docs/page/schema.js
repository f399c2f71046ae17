// What schemas say, for people: a type in a few words, and an example to begin with.

/** What a reference of this document leads to; anything else is itself. */
export function resolve(whole, value) {
  const reference = value?.$ref;
  if (typeof reference !== "string" || !reference.startsWith("#/")) return value;
  const steps = reference.slice(2).split("/")
    .map((step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~"));
  return steps.reduce((value, step) => value?.[step], whole);
}

/** `string`, `Item`, `Item[]`, `integer or null`. */
export function typeText(schema) {
  if (schema === undefined || schema === true) return "anything";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map(typeText).join(" or ");
  if (schema.allOf?.length === 1) return typeText(schema.allOf[0]);
  if (schema.type === "array") return `${typeText(schema.items)}[]`;
  if (Array.isArray(schema.type)) return schema.type.join(" or ");
  return schema.type ?? "anything";
}

/** A value that fits, more or less: what a form begins with. */
export function sample(whole, schema, depth = 0) {
  const known = resolve(whole, schema);
  if (known === undefined || known === true || depth > 6) return null;
  if (known.default !== undefined) return known.default;
  if (known.examples?.length) return known.examples[0];
  if (known.const !== undefined) return known.const;
  if (known.enum) return known.enum[0];
  const choice = (known.oneOf ?? known.anyOf)?.[0];
  if (choice !== undefined) return sample(whole, choice, depth + 1);
  if (known.allOf) return known.allOf.map((part) => sample(whole, part, depth + 1)).reduce(merged, null);
  const type = Array.isArray(known.type) ? known.type[0] : known.type;
  switch (type) {
    case "object":
      return Object.fromEntries(Object.entries(known.properties ?? {})
        .filter(([name]) => known.required?.includes(name))
        .map(([name, property]) => [name, sample(whole, property, depth + 1)]));
    case "array":
      return known.minItems ? [sample(whole, [known.items].flat()[0], depth + 1)] : [];
    case "string":
      return "";
    case "integer":
    case "number":
      return known.minimum ?? 0;
    case "boolean":
      return false;
    default:
      return null;
  }
}

function merged(one, other) {
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  return isObject(one) && isObject(other) ? { ...one, ...other } : other ?? one;
}

/** The schema, and every schema that it leads to. */
export function withDefinitions(whole, schema) {
  const found = {};
  const collect = (value) => {
    if (value === null || typeof value !== "object") return;
    if (typeof value.$ref === "string") {
      const name = typeText(value);
      if (!(name in found)) {
        found[name] = resolve(whole, value);
        collect(found[name]);
      }
    }
    Object.values(value).forEach(collect);
  };
  collect(schema);
  return Object.keys(found).length ? { schema, definitions: found } : schema;
}
