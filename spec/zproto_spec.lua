-- The Lua API of zproto: known bytes through it, what it returns and raises, and that misuse of any
-- kind ends in an error, never in a crash.

local zproto = require("zproto")
local data = require("spec.data.zproto_vectors")

-- Lua 5.1, 5.2 and LuaJIT have only doubles.
local has_integers = math.type ~= nil

local function unhex(text)
    return (text:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
end

local function hex(bytes)
    return (bytes:gsub(".", function(char) return ("%02x"):format(char:byte()) end))
end

local protos = {}
local function parsed(number)
    protos[number] = protos[number] or assert(zproto:parse(data.schemas[number]))
    return protos[number]
end

-- Deep equality, except that NaN is NaN.
local function same(a, b)
    if type(a) ~= "table" or type(b) ~= "table" then
        return a == b or (a ~= a and b ~= b)
    end
    for key, value in pairs(a) do
        if not same(value, b[key]) then return false end
    end
    for key in pairs(b) do
        if a[key] == nil then return false end
    end
    return true
end

local function check(id, expected, got)
    assert(same(expected, got), id .. ": other value")
end

local foo = assert(zproto:parse([[
    kv { .k:string 1 .v:integer 2 }
    foo 0xff {
        .name:string 1 .age:integer 2 .f:float 3 .b:boolean 4 .ia:integer[] 5
        .st:kv 6 .sa:kv[] 7 .m:kv[k] 8 .bl:blob 9 .i8:byte 10 .l:long 11
    }
    empty 1 {}
]]))

local function parse(text) return assert(zproto:parse(text)) end

-- The error must have a position in this file, and say all the words.
local function raises(call, ...)
    local ok, message = pcall(call)
    assert.is_false(ok)
    assert.is_string(message)
    assert.matches("zproto_spec.lua:%d+: ", message)
    for _, word in ipairs({ ... }) do
        assert(message:find(word, 1, true), ("no %q in %q"):format(word, message))
    end
end

describe("known bytes", function()
    it("encode, pack, unpack and decode", function()
        for _, v in ipairs(data.vectors) do
            if has_integers or not v.wide then
                local p = parsed(v.schema)
                local encoded = p:encode(v.typ, v.value)
                -- The sign of the platform's NaN and the order of maps may be either.
                if v.id:find("nan") or v.any_order then
                    assert.equal(#v.encoded / 2, #encoded, v.id)
                else
                    assert.equal(v.encoded, hex(encoded), v.id)
                end
                local buffer, size = p:encode(v.typ, v.value, true)
                assert.equal(#encoded, size)

                local bytes = unhex(v.encoded)
                assert.equal(v.packed, hex(p:pack(bytes)), v.id)
                local packed = p:pack(buffer, size)
                local unpacked, unpacked_size = p:unpack(packed, true)
                for _, value in ipairs({
                    { p:decode(v.typ, bytes) },
                    { p:decode(v.typ, p:unpack(unhex(v.packed))) },
                    { p:decode(v.typ, unpacked, unpacked_size) },
                    { p:decode(v.typ, buffer, size) },
                }) do
                    if v.decoded then check(v.id, v.decoded, value[1]) end
                    assert.equal(v.consumed, value[2], v.id)
                end
            end
        end
    end)

    it("read by other schemas", function()
        for _, v in ipairs(data.compat) do
            local bytes = parsed(v.writer):encode(v.typ, v.value)
            assert.equal(v.encoded, hex(bytes), v.id)
            local value, used = parsed(v.reader):decode(v.typ, bytes)
            check(v.id, v.decoded, value)
            assert.equal(v.consumed, used, v.id)
        end
    end)

    it("hand-made", function()
        for _, v in ipairs(data.decode) do
            local value, used = parsed(v.schema):decode(v.typ, unhex(v.input))
            check(v.id, v.decoded, value)
            assert.equal(v.consumed, used, v.id)
        end
    end)

    it("packed", function()
        for _, v in ipairs(data.pack) do
            assert.equal(v.packed, hex(foo:pack(unhex(v.raw))), v.id)
        end
        for _, v in ipairs(data.unpack) do
            local count = select("#", foo:unpack(unhex(v.packed)))
            assert.equal(v.result and 1 or 0, count, v.id)
            if v.result then assert.equal(v.result, hex(foo:unpack(unhex(v.packed))), v.id) end
        end
    end)
end)

describe("parse", function()
    it("tells structs and fields, or the line of the fault", function()
        for _, v in ipairs(data.parse) do
            local p, message = zproto:parse(v.schema)
            if v.line then
                assert.is_nil(p)
                assert.equal(v.line, tonumber(message:match("^(%d+): .*\n$")), v.id)
                if v.mention then assert(message:find(v.mention, 1, true), v.id) end
            else
                local structs = {}
                for index, name in p:travel("struct") do
                    local fields = {}
                    for at, field in p:travel("field", name) do fields[at] = field end
                    structs[index] = { name = name, tag = p:tag(name), fields = fields }
                end
                check(v.id, v.structs, structs)
            end
        end
    end)

    it("takes strings, and numbers for strings", function()
        raises(function() zproto:parse({}) end, "string expected, got table")
        assert.same({ nil, "1: <name> expected near '12'\n" }, { zproto:parse(12) })
        assert.same({ nil, "1: <name> expected at the end\n" }, { zproto:parse("") })
    end)

    it("works on a proto and gives a new one", function()
        local other = foo:parse("other 3 {}")
        assert.equal(3, other:tag("other"))
        assert.is_nil(foo:tag("other"))
    end)

    it("limits what is defined inside one another", function()
        local function nested(n) return ("a{"):rep(n) .. ("}"):rep(n) end
        assert(zproto:parse(nested(10000)))
        local p, message = zproto:parse(nested(100000))
        assert.is_nil(p)
        assert.matches("^1: .*nested", message)
    end)
end)

describe("load", function()
    it("reads a file", function()
        local path = os.tmpname()
        local file = assert(io.open(path, "wb"))
        file:write("x 7 { .a:integer 1 }")
        file:close()
        assert.equal("x", assert(zproto:load(path)):tag(7))
        file = assert(io.open(path, "wb"))
        file:write("x {\n .a:no 1 }")
        file:close()
        local p, message = zproto:load(path)
        assert.is_nil(p)
        assert.matches("^2: .*'no'\n$", message)
        os.remove(path)
    end)

    it("tells why it could not", function()
        local p, message = zproto:load("/nowhere/at/all")
        assert.is_nil(p)
        assert.matches("/nowhere/at/all: ", message)
    end)
end)

describe("tag", function()
    it("gives tags and names", function()
        assert.equal(255, foo:tag("foo"))
        assert.equal(0, foo:tag("kv"))
        assert.equal("foo", foo:tag(255))
        for _, typ in ipairs({ "nope", "255", 4242, 0, 255.5, 2 ^ 40, 0 / 0, math.huge, "foo\0" }) do
            assert.is_nil(foo:tag(typ))
        end
        assert.equal(1, select("#", foo:tag("nope")))
    end)

    it("takes tags of 32 bits with any sign", function()
        local p = parse("x 0xffffffff {}")
        assert.equal(-1, p:tag("x"))
        assert.equal("x", p:tag(-1))
        assert.equal("x", p:tag(4294967295))
    end)

    it("raises for other types", function()
        raises(function() foo:tag(true) end, "tag", "boolean")
        raises(function() foo:tag({}) end, "tag", "table")
        raises(function() foo:tag() end, "tag", "no value")
    end)
end)

describe("encode", function()
    it("raises for unknown structs", function()
        raises(function() foo:encode("nope", {}) end, "encode", "nope")
        raises(function() foo:encode(4242, {}) end, "encode", "4242")
        raises(function() foo:encode({}, {}) end, "encode", "table")
        raises(function() foo:encode("a\0b", {}) end, "a\\x00b")
        raises(function() foo:encode(("x"):rep(5000), {}) end, "xxx")
    end)

    it("wants a body that can be indexed, unless there are no fields", function()
        raises(function() foo:encode("foo", nil) end, "encode", "'foo'", "nil")
        raises(function() foo:encode("foo") end, "nil")
        raises(function() foo:encode("foo", 5) end, "number")
        raises(function() foo:encode("foo", true) end, "boolean")
        assert.equal("020000000000", hex(foo:encode("foo", "str")))
        assert.equal("020000000000", hex(foo:encode("empty", nil)))
    end)

    it("names the field, what it wants and what it got", function()
        local wrong = {
            { { name = 1 }, "name", "string", "number" },
            { { name = {} }, "name", "string", "table" },
            { { name = true }, "name", "string", "boolean" },
            { { bl = 1 }, "bl", "string", "number" },
            { { age = "1" }, "age", "number", "string" },
            { { age = {} }, "age", "number", "table" },
            { { f = "1" }, "f", "number", "string" },
            { { b = 1 }, "b", "boolean", "number" },
            { { b = "true" }, "b", "boolean", "string" },
            { { ia = 1 }, "ia", "table", "number" },
            { { ia = "x" }, "ia", "table", "string" },
            { { ia = false }, "ia", "table", "boolean" },
            { { ia = { 1, "x" } }, "ia", "number", "string" },
            { { ia = { 1, false } }, "ia", "number", "boolean" },
            { { st = "x" }, "st", "table", "string" },
            { { st = { v = "x" } }, "v", "number", "string" },
            { { m = { a = 1 } }, "m", "table", "number" },
            { { m = 1 }, "m", "table", "number" },
            { { name = print }, "name", "string", "function" },
            { { name = io.stdout }, "name", "string", "userdata" },
            { { name = coroutine.create(function() end) }, "name", "string", "thread" },
        }
        for _, case in ipairs(wrong) do
            local field, wanted, got = case[2], case[3], case[4]
            raises(
                function() foo:encode("foo", case[1]) end,
                ("zproto.encode: field '%s': %s expected, got %s"):format(field, wanted, got)
            )
        end
    end)

    it("wants whole numbers of 64 bits for integers", function()
        for _, number in ipairs({ 0 / 0, math.huge, -math.huge, 1.5, 2.0 ^ 63, -2.0 ^ 64 }) do
            raises(
                function() foo:encode("foo", { l = number }) end,
                "field 'l'",
                "integer representation"
            )
        end
        assert.equal(-2.0 ^ 63, foo:decode("foo", foo:encode("foo", { l = -2.0 ^ 63 })).l + 0.0)
    end)

    it("reads through metamethods", function()
        local fields = { name = "n", ia = setmetatable({}, {
            __index = function(_, i) if i <= 3 then return i * 10 end end,
        }) }
        local proxy = setmetatable({}, { __index = fields })
        assert.same({ name = "n", ia = { 10, 20, 30 } }, (foo:decode("foo", foo:encode("foo", proxy))))
    end)

    it("survives metamethods that encode, pack and unpack", function()
        local function inner()
            local long = ("y"):rep(5000)
            local bytes = foo:encode("foo", { name = long })
            local packed, size = foo:pack(bytes, true)
            assert(foo:decode("foo", foo:unpack(packed, size)).name == long)
        end
        local value = setmetatable({ name = "outer" }, { __index = function(_, key)
            inner()
            if key == "age" then return 7 end
            if key == "sa" then
                return setmetatable({}, { __index = function(_, i)
                    inner()
                    if i < 3 then return { k = "k" .. i, v = i } end
                end })
            end
        end })
        assert.same(
            { name = "outer", age = 7, sa = { { k = "k1", v = 1 }, { k = "k2", v = 2 } } },
            (foo:decode("foo", foo:encode("foo", value)))
        )
    end)

    it("survives errors of metamethods", function()
        local bad = setmetatable({}, { __index = function() error({ "mine" }) end })
        for _ = 1, 100 do
            local ok, reason = pcall(foo.encode, foo, "foo", bad)
            assert.is_false(ok)
            assert.equal("mine", reason[1])
        end
        assert.equal("020000000000", hex(foo:encode("foo", {})))
    end)

    it("survives metamethods that never stop encoding", function()
        local value
        value = setmetatable({}, { __index = function() return foo:encode("foo", value) end })
        assert.is_false(pcall(foo.encode, foo, "foo", value))
        assert.equal("020000000000", hex(foo:encode("foo", {})))
    end)

    it("works in coroutines, and refuses to yield in the middle", function()
        local value = setmetatable({}, { __index = function() return coroutine.yield() end })
        local co = coroutine.create(function() return foo:encode("foo", value) end)
        assert.is_false((coroutine.resume(co)))
        co = coroutine.wrap(function() return foo:encode("foo", {}) end)
        assert.equal("020000000000", hex(co()))
    end)

    it("leaves the stack of errors to the caller", function()
        local ok, message = pcall(function() foo:encode("foo", { age = "x" }) end)
        assert.is_false(ok)
        assert.matches("^[^\n]*zproto_spec.lua:%d+: zproto.encode: field 'age'", message)
    end)
end)

describe("nesting", function()
    local lines = { "s1 { .v:integer 1 }" }
    for n = 2, 70 do lines[n] = ("s%d { .v:integer 1 .c:s%d 2 .a:s%d[] 3 }"):format(n, n - 1, n - 1) end
    local tower = parse(table.concat(lines, "\n"))
    local function value(levels, array)
        local v = { v = 1 }
        for n = 2, levels do v = array and { v = n, a = { v } } or { v = n, c = v } end
        return v
    end

    it("goes 64 levels deep both ways", function()
        for _, array in ipairs({ false, true }) do
            local bytes = tower:encode("s64", value(64, array))
            assert.same(value(64, array), (tower:decode("s64", bytes)))
            raises(function() tower:encode("s65", value(65, array)) end, "64", "nested")
        end
    end)

    it("does not decode deeper", function()
        local bytes = tower:encode("s64", value(64))
        local head = ("\1\0\1\0"):gsub("^", "") -- field `c`, one above the base
        local len = #bytes + 4
        bytes = string.char(len % 256, math.floor(len / 256), 0, 0) .. head .. bytes
        assert.same({ nil, -3 }, { tower:decode("s65", bytes) })
    end)

    it("limits defaults too", function()
        assert.is_table(tower:default("s64"))
        raises(function() tower:default("s65") end, "default", "64")
    end)
end)

describe("decode", function()
    it("raises for what is not bytes", function()
        raises(function() foo:decode("nope", "") end, "decode", "nope")
        for _, bytes in ipairs({ {}, 12, true, io.stdout, print }) do
            raises(function() foo:decode("foo", bytes) end, "decode", type(bytes))
            raises(function() foo:decode("foo", bytes, 8) end, "decode", type(bytes))
        end
        raises(function() foo:decode("foo", nil) end, "nil")
        raises(function() foo:decode("foo", nil, 8) end, "nil")
        raises(function() foo:decode("foo") end, "no value")
        assert.same({ nil, -3 }, { foo:decode("foo", "") })
        assert.same({ nil, -3 }, { foo:decode("foo", "", 99) })
    end)

    it("refuses lengths below two, wherever they are", function()
        local p = parse("k{.s:string 1} x{.k:k 1} y{.k:k[] 1}")
        local cases = {
            { foo, "foo", "000000000100" .. "0000" .. "f0ffff7f" },
            { foo, "foo", "000000000100" .. "0000" .. "00000100" },
            { foo, "foo", "000000000100" .. "0000" .. "00010000" },
            { foo, "foo", "01000000ffff" },
            { foo, "foo", "000000000100" .. "0300" .. "ffffff7f" },
            { p, "x", "0e000000" .. "0100" .. "0000" .. "00000000" .. "0100" .. "f0ff" .. "ff7f" },
            { p, "x", "10000000" .. "0100" .. "0000" .. "00000000" .. "0100" .. "0000" .. "f0ffff7f" },
            { p, "x", "00000000" .. "0100" .. "0000" .. "fcffffff" .. "0000" .. "0000" },
            { p, "x", "00000000" .. "0100" .. "0000" .. "f0ffffff" .. "0000" .. "0000" },
            { p, "y", "0e000000" .. "0100" .. "0000" .. "01000000" .. "00000000" .. "0000" },
        }
        for _, case in ipairs(cases) do
            assert.same({ nil, -3 }, { case[1]:decode(case[2], unhex(case[3])) }, case[3])
        end
    end)

    it("does not believe counts", function()
        local bytes = unhex("08000000" .. "0100" .. "0400" .. "ffffff7f")
        -- Without the collector, what one decode takes is what it shows, in kilobytes.
        collectgarbage("stop")
        local before = collectgarbage("count")
        local value = foo:decode("foo", bytes)
        local taken = collectgarbage("count") - before
        collectgarbage("restart")
        assert.is_nil(value)
        assert(taken < 2, taken)
    end)

    it("finds every tag up to 65535", function()
        local p = parse("x { .a:integer 1 .b:integer 32767 .c:integer 32768 .d:integer 65535 }")
        for _, value in ipairs({
            { a = 1 }, { b = 2 }, { c = 3 }, { d = 4 }, { a = 1, c = 3 }, { b = 2, c = 3 },
            { a = 1, b = 2, c = 3, d = 4 }, { c = 3, d = 4 },
        }) do
            assert.same(value, (p:decode("x", p:encode("x", value))))
        end
        assert.equal("080000000100000001000000",
            hex(parse("x { .a:integer 1 .b:integer 40000 }"):encode("x", { a = 1 })))
        p = parse("k { .s:string 40000 } x { .k:k[s] 1 }")
        local value = { k = { a = { s = "a" } } }
        assert.same(value, (p:decode("x", p:encode("x", value))))
    end)

    it("walks messages one after the other", function()
        local bytes = foo:encode("foo", { age = 1 }) .. foo:encode("foo", { age = 2 })
        local first, used = foo:decode("foo", bytes)
        assert.equal(1, first.age)
        assert.equal(2, foo:decode("foo", bytes:sub(used + 1)).age)
    end)

    it("keeps map keys of all kinds", function()
        local p = parse([[
            ik { .id:integer 1 } fk { .f:float 1 } bk { .b:boolean 1 }
            x { .i:ik[id] 1 .f:fk[f] 2 .b:bk[b] 3 }
        ]])
        local value = {
            i = { [-1] = { id = -1 }, [7] = { id = 7 } },
            f = { [2] = { f = 2.0 }, [0.5] = { f = 0.5 } },
            b = { [true] = { b = true }, [false] = { b = false } },
        }
        assert.same(value, (p:decode("x", p:encode("x", value))))
        -- A key that is no number, as any peer may send one.
        local bytes = p:encode("x", { f = { { f = 0 / 0 } } })
        assert.same({ nil, -3 }, { p:decode("x", bytes) })
    end)
end)

describe("pack and unpack", function()
    it("take the flag where the first argument puts it", function()
        for _, call in ipairs({
            function() return foo:pack("abc", true) end,
            function() return foo:pack("abc", 3, false) end,
            function() return foo:pack("abc", 0) end,
            function() return foo:unpack("\7abc", true) end,
            function() return foo:unpack("\7abc", 4) end,
        }) do
            local buffer, size = call()
            assert.equal("userdata", type(buffer))
            assert.is_number(size)
        end
        assert.equal("\7abc", foo:pack("abc", nil, true))
        assert.equal("\7abc", foo:pack("abc", false))
        local buffer, size = foo:encode("foo", {}, true)
        assert.equal("\1\2", foo:pack(buffer, size))
        assert.equal("\1\2", foo:pack(buffer, size, false))
        assert.equal("userdata", type(foo:pack(buffer, size, true)))
        assert.equal("userdata", type((foo:encode("foo", {}, 0))))
        assert.equal("string", type((foo:encode("foo", {}, false))))
    end)

    it("have nothing to do with nothing", function()
        assert.equal("", foo:pack(""))
        assert.equal("", foo:unpack(""))
        local buffer, size = foo:pack("", true)
        assert.equal(0, size)
        assert.equal("", foo:pack(buffer, size))
        assert.equal("", foo:unpack(buffer, 0))
    end)

    it("return nothing at all for corrupt bytes", function()
        local corrupt = unhex("ff010203040506070805aabbcc")
        assert.equal(0, select("#", foo:unpack(corrupt)))
        assert.equal(0, select("#", foo:unpack(corrupt, true)))
        local packed, size = foo:pack("x", true)
        assert.equal(1, select("#", foo:unpack(packed, size)))
    end)

    it("raise for what is not bytes", function()
        for _, name in ipairs({ "pack", "unpack" }) do
            for _, bytes in ipairs({ {}, 12, true, io.stdout, print, foo }) do
                raises(function() foo[name](foo, bytes) end, name, type(bytes))
                raises(function() foo[name](foo, bytes, 8) end, name, type(bytes))
            end
            raises(function() foo[name](foo, nil, 8) end, name, "nil")
            raises(function() foo[name](foo) end, name, "no value")
        end
    end)

    it("raise for a wrong size", function()
        local buffer, size = foo:encode("foo", { name = "x" }, true)
        for _, wrong in ipairs({ 0, -1, size + 1, size - 1, size + 0.5, 2 ^ 40, -2 ^ 63, "x", {}, true }) do
            raises(function() foo:pack(buffer, wrong) end, "pack", "size", tostring(size))
            raises(function() foo:unpack(buffer, wrong) end, "unpack", "size")
            raises(function() foo:decode("foo", buffer, wrong) end, "decode", "size")
        end
        raises(function() foo:pack(buffer) end, "size")
        raises(function() foo:decode("foo", buffer) end, "size")
    end)
end)

describe("buffers", function()
    it("stay what they are", function()
        local first, size = foo:encode("foo", { name = ("a"):rep(1000) }, true)
        for i = 1, 200 do
            foo:pack(foo:encode("foo", { name = ("b"):rep(i * 100) }), true)
            if i % 50 == 0 then collectgarbage() end
        end
        assert.equal(("a"):rep(1000), foo:decode("foo", first, size).name)
        local packed, packed_size = foo:pack(first, size, true)
        local again, again_size = foo:pack(packed, packed_size, true)
        local back, back_size = foo:unpack(again, again_size, true)
        back, back_size = foo:unpack(back, back_size, true)
        assert.equal(("a"):rep(1000), foo:decode("foo", back, back_size).name)
    end)

    it("know their size, and hide their insides", function()
        local buffer, size = foo:encode("foo", {}, true)
        if _VERSION ~= "Lua 5.1" or rawget(_G, "jit") then assert.equal(size, #buffer) end
        assert.equal("zproto.buffer", getmetatable(buffer))
        assert.equal("zproto.proto", getmetatable(foo))
    end)
end)

describe("self", function()
    it("must be a proto", function()
        local buffer = foo:encode("foo", {}, true)
        for _, name in ipairs({ "tag", "encode", "decode", "pack", "unpack", "default", "travel" }) do
            for _, wrong in ipairs({ zproto, {}, 1, "x", true, io.stdout, buffer, print }) do
                raises(function() zproto[name](wrong, "foo", "") end, name, "proto")
            end
            raises(function() zproto[name](nil, "foo") end, name, "nil")
            raises(function() zproto[name]() end, name, "no value")
        end
    end)
end)

describe("default", function()
    it("has every field", function()
        assert.same({
            name = "", age = 0, f = 0.0, b = false, ia = {}, st = { k = "", v = 0 }, sa = {}, m = {},
            bl = "", i8 = 0, l = 0,
        }, foo:default("foo"))
        assert.same(foo:default("foo"), foo:default(255))
        assert.same({}, foo:default("empty"))
        raises(function() foo:default("nope") end, "default", "nope")
        raises(function() foo:default(nil) end, "default", "nil")
    end)

    it("has no limit of fields", function()
        local lines = {}
        for i = 1, 1000 do lines[i] = (".f%d:integer[] %d"):format(i, i * 3) end
        local p = parse("x {" .. table.concat(lines, "\n") .. "}")
        local count = 0
        for _ in pairs(p:default("x")) do count = count + 1 end
        assert.equal(1000, count)
        local value = p:default("x")
        value.f500 = { 1, 2, 3 }
        assert.same(value, (p:decode("x", p:encode("x", value))))
    end)
end)

describe("travel", function()
    local p = parse([[
        a 1 { b { .x:integer 1 } c { d {} } .y:b[x] 1 .z:ubyte[] 65535 }
        e {}
    ]])

    local function names(...)
        local all = {}
        for index, name, reference in p:travel(...) do
            all[index] = name
            assert.equal("userdata", type(reference))
        end
        return all
    end

    it("visits structs", function()
        assert.same({ "a", "e" }, names("struct"))
        assert.same({ "b", "c" }, names("struct", "a"))
        assert.same({ "b", "c" }, names("struct", 1))
        assert.same({}, names("struct", "e"))
        assert.same({ "a", "e" }, names("struct", "nope"))
    end)

    it("visits fields", function()
        local fields = {}
        for index, field in p:travel(nil, "a") do fields[index] = field end
        assert.same({
            { name = "y", type = "b", tag = 1, array = true, mapkey = "x" },
            { name = "z", type = "blob", tag = 65535, array = false },
        }, fields)
    end)

    it("raises for anything else", function()
        raises(function() p:travel("field") end, "travel")
        raises(function() p:travel("field", "nope") end, "travel", "nope")
        raises(function() p:travel("nope", "a") end, "travel", "nope")
        raises(function() p:travel(true, "a") end, "travel", "boolean")
        raises(function() p:travel("struct", true) end, "travel", "boolean")
    end)

    it("keeps its proto", function()
        local next
        do next = parse("x { .a:integer 1 .b:string 2 }"):travel("field", "x") end
        collectgarbage()
        collectgarbage()
        local _, first = next()
        local _, second = next()
        assert.same({ "a", "b" }, { first.name, second.name })
        assert.is_nil((next()))
        assert.is_nil((next()))
    end)
end)

describe("memory", function()
    it("of protos and errors is given back", function()
        local function round()
            for _ = 1, 300 do
                zproto:parse("x { .a:integer 1 }")
                zproto:parse("x { .a:nope 1 }")
                pcall(foo.encode, foo, "foo", { age = "x" })
                foo:decode("foo", "\255\255")
            end
            collectgarbage()
            collectgarbage()
            return collectgarbage("count")
        end
        round()
        local before = round()
        assert(round() - before < 64)
    end)

    it("of finalizers that encode is not mixed up", function()
        for _ = 1, 50 do
            local value = { name = ("z"):rep(3000) }
            setmetatable({}, { __gc = function() foo:encode("foo", { name = ("q"):rep(4000) }) end })
            if newproxy then
                getmetatable(newproxy(true)).__gc = function()
                    foo:encode("foo", { name = ("q"):rep(4000) })
                end
            end
            assert.same(value, (foo:decode("foo", foo:encode("foo", value))))
        end
    end)
end)
