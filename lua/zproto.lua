--- Messages with a schema: small, typed, and the same bytes in every language that speaks zproto.
---
--- A schema names structs and their fields; `encode` turns a table into the bytes of a struct and
--- `decode` turns them back, while `pack` and `unpack` squeeze the zero bytes out and in again.
--- Expected failures (a schema that does not parse, bytes that are no message) are returned; misuse
--- (a value of the wrong type, an unknown struct) is raised as an error.

--- A parsed schema. It has all the methods of the module.
---@class zproto.proto: zproto

--- Bytes that are handed from one call to the next without becoming a Lua string. It never changes.
--- `#buffer` is its size.
---@class zproto.buffer: userdata

--- The name of a top-level struct, or its protocol tag.
---@alias zproto.typ string|integer

---@class zproto.field
---@field name string
---@field tag integer
---@field type string a built-in type, or the name of a struct
---@field array boolean whether it is an array or a map
---@field mapkey? string for maps: the field of the struct that is the key

--- The functions are native. All of them are also methods of every parsed schema; `raw` asks for a
--- buffer and its size instead of a string.
---
--- - `parse(text)`: a schema; or nil and a message that begins with the line's number.
--- - `load(path)`: the same from a file.
--- - `tag(typ)`: a struct's protocol tag, 0 if it has none; or the name of the struct with a tag.
--- - `encode(typ, value, raw)`: fields that are nil are left out, keys that are no fields ignored.
--- - `decode(typ, bytes, size)`: the value of the message at the start of `bytes` and how many bytes
---   it took; nil and -3 if it is malformed. The size is for buffers only, and required there.
--- - `pack(bytes, ...)`: without the zero bytes. What follows a string is the flag `raw`, what
---   follows a buffer is its size and then the flag.
--- - `unpack(bytes, ...)`: with the zero bytes again, and up to seven more at the end; nothing at
---   all if the bytes are corrupt. Arguments as for `pack`.
--- - `default(typ)`: a table with all fields: 0, 0.0, false, "", {} for arrays and maps, and the
---   same again for structs.
--- - `travel("struct", typ)`: iterates over index, name and reference of the structs inside `typ`, or
---   of the top-level ones; `travel("field", typ)` over index and description of its fields.
---@class zproto
---@field parse fun(self: zproto, text: string): zproto.proto?, string?
---@field load fun(self: zproto, path: string): zproto.proto?, string?
---@field tag fun(self: zproto.proto, typ: zproto.typ): integer|string|nil
---@field encode fun(self: zproto.proto, typ: zproto.typ, value: table, raw?: boolean): string|zproto.buffer, integer?
---@field decode fun(self: zproto.proto, typ: zproto.typ, bytes: string|zproto.buffer, size?: integer): table?, integer
---@field pack fun(self: zproto.proto, bytes: string|zproto.buffer, size?: any, raw?: boolean): string|zproto.buffer, integer?
---@field unpack fun(self: zproto.proto, bytes: string|zproto.buffer, size?: any, raw?: boolean): string|zproto.buffer|nil, integer?
---@field default fun(self: zproto.proto, typ: zproto.typ): table
---@field travel fun(self: zproto.proto, mode?: "struct"|"field", typ?: zproto.typ): fun(): integer?, string|zproto.field, userdata?
local zproto = require("silly.internal.core").zproto

return zproto
