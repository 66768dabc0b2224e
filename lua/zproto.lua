--- Messages with a schema: small, typed, and the same bytes in every language that speaks zproto.
---
--- A schema names structs and their fields; `encode` turns a table into the bytes of a struct and
--- `decode` turns them back, while `pack` and `unpack` squeeze the zero bytes out and in again.
--- Expected failures (a schema that does not parse, bytes that are no message) are returned; misuse
--- (a value of the wrong type, an unknown struct) is raised as an error.

--- A parsed schema. It has all the methods of the module, and all but `parse` and `load` need one.
---@class zproto.proto: zproto

--- Bytes that are handed from one call to the next without becoming a Lua string. It never changes.
--- `#buffer` is its size.
---@class zproto.buffer: userdata

--- The name of a top-level struct, or its protocol tag.
---@alias zproto.typ string|integer

--- What `zproto:travel` gives for a field.
---@class zproto.field
---@field name string its name in the schema
---@field tag integer its number in the schema
---@field type string a built-in type, or the name of a struct
---@field array boolean whether it is an array or a map
---@field mapkey string? for maps: the field of the struct that is the key

--- The functions are native. With `raw` true, `encode`, `pack` and `unpack` return a buffer that owns its
--- bytes, and its size, instead of a string.
---@class zproto
--- Parses the text of a schema. Returns it; or nil and a message that begins with the line's number.
---@field parse fun(self: zproto, text: string): zproto.proto?, string?
--- Parses the text in a file. Returns the schema; or nil and a message.
---@field load fun(self: zproto, path: string): zproto.proto?, string?
--- The protocol tag of the struct with a name, 0 if it has none; or the name of the struct with a tag. Nil
--- when there is no such struct.
---@field tag fun(self: zproto.proto, typ: zproto.typ): integer|string|nil
--- The bytes of a struct. Fields that are nil are left out, keys that are no fields ignored.
---
--- Raises for a value that does not fit its field, and for an unknown struct.
---@field encode fun(self: zproto.proto, typ: zproto.typ, value: table, raw?: boolean): string|zproto.buffer, integer?
--- The value of the message at the start of `bytes`, and how many bytes it took; nil and -3 if it is
--- malformed. The size is for buffers only, and required there.
---
--- Raises for an unknown struct.
---@field decode fun(self: zproto.proto, typ: zproto.typ, bytes: string|zproto.buffer, size?: integer): table?, integer
--- The bytes without the zero bytes. After a string comes the flag: `pack(bytes, raw)`; after a buffer its
--- size and then the flag: `pack(buffer, size, raw)`.
---@field pack fun(self: zproto.proto, bytes: string|zproto.buffer, size?: any, raw?: boolean): string|zproto.buffer, integer?
--- The bytes with the zero bytes again, and up to seven more at the end; nothing at all if they are
--- corrupt. Arguments as for `pack`.
---@field unpack fun(self: zproto.proto, bytes: string|zproto.buffer, size?: any, raw?: boolean): string|zproto.buffer|nil, integer?
--- A table with all fields of a struct: 0, 0.0, false, "", {} for arrays and maps, and the same again for
--- structs.
---
--- Raises for an unknown struct, and where structs nest too deep.
---@field default fun(self: zproto.proto, typ: zproto.typ): table
--- Iterates over what a schema defines. `travel("struct", typ)` gives index, name and reference of the
--- structs inside `typ`, or of the top-level ones without it; `travel("field", typ)` index and description
--- of its fields. The mode is "field" where it is nil.
---
--- Raises for an unknown mode, and with "field" for an unknown struct.
---@field travel fun(self: zproto.proto, mode?: "struct"|"field", typ?: zproto.typ): fun(): integer?, string|zproto.field, userdata?
local zproto = require("silly.internal.core").zproto

return zproto
