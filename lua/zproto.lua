---Messages with a schema: small, typed, and the same bytes in every language that speaks zproto.
---
---A schema names structs and their fields; `encode` turns a table into the bytes of a struct and
---`decode` turns them back, while `pack` and `unpack` squeeze the zero bytes out and in again.
---Expected failures (a schema that does not parse, bytes that are no message) are returned; misuse
---(a value of the wrong type, an unknown struct) is raised as an error.
---@class zproto
local zproto = require("silly.core").zproto

---A parsed schema. It has all the methods of the module.
---@class zproto.proto: zproto

---Bytes that are handed from one call to the next without becoming a Lua string. It never changes.
---`#buffer` is its size.
---@class zproto.buffer: userdata

---The name of a top-level struct, or its protocol tag.
---@alias zproto.typ string|integer

---@class zproto.field
---@field name string
---@field tag integer
---@field type string a built-in type, or the name of a struct
---@field array boolean whether it is an array or a map
---@field mapkey? string for maps: the field of the struct that is the key

if false then -- what the native functions look like, for editors
    ---Parses a schema text.
    ---@param text string
    ---@return zproto.proto? proto
    ---@return string? message begins with the number of the line
    function zproto:parse(text) end

    ---Parses a schema file.
    ---@param path string
    ---@return zproto.proto? proto
    ---@return string? message
    function zproto:load(path) end

    ---Gives the protocol tag of a struct (0 if it has none), or the name of the struct with a tag.
    ---@param typ zproto.typ
    ---@return integer|string|nil
    function zproto:tag(typ) end

    ---Encodes a value. Fields that are nil are left out, keys that are no fields are ignored.
    ---@param typ zproto.typ
    ---@param value table
    ---@param raw? boolean return a buffer and its size
    ---@return string|zproto.buffer bytes
    ---@return integer? size
    function zproto:encode(typ, value, raw) end

    ---Decodes a message at the start of `bytes`.
    ---@param typ zproto.typ
    ---@param bytes string|zproto.buffer
    ---@param size? integer required, and used, for buffers only
    ---@return table? value
    ---@return integer used how many bytes the message took; -3 if it is malformed
    function zproto:decode(typ, bytes, size) end

    ---Removes the zero bytes. For strings the second argument is the flag.
    ---@param bytes string|zproto.buffer
    ---@param size? any the size of the buffer; for strings, whether to return a buffer
    ---@param raw? boolean return a buffer and its size
    ---@return string|zproto.buffer packed
    ---@return integer? size
    function zproto:pack(bytes, size, raw) end

    ---Puts the zero bytes back, and up to seven more at the end. Returns nothing at all if the
    ---bytes are corrupt. For strings the second argument is the flag.
    ---@param bytes string|zproto.buffer
    ---@param size? any the size of the buffer; for strings, whether to return a buffer
    ---@param raw? boolean return a buffer and its size
    ---@return string|zproto.buffer|nil bytes
    ---@return integer? size
    function zproto:unpack(bytes, size, raw) end

    ---Makes a table with all fields: 0, 0.0, false, "", {} for arrays and maps, and the same again
    ---for structs.
    ---@param typ zproto.typ
    ---@return table
    function zproto:default(typ) end

    ---Iterates over structs (index, name, reference) or fields (index, description).
    ---@param mode "struct"|"field"|nil
    ---@param typ? zproto.typ the struct whose fields or nested structs are meant
    ---@return fun(): integer?, string|zproto.field, userdata?
    function zproto:travel(mode, typ) end
end

return zproto
