--- The reference: what annotations become, what is complained of in them, and how the declarations of the
--- native library are compared with it.

local annotations = dofile("tools/docs/annotations.lua")
local lint = dofile("tools/docs/lint.lua")
local markdown = dofile("tools/docs/markdown.lua")
local match = dofile("tools/docs/match.lua")
local shell = require "spec.support.shell"

--- A file as it would be read from a path.
local function parse(text, path)
	local file = annotations.parse(text)
	file.path, file.name = path or "lua/net/tube.lua", "tube"
	return file
end

local SOURCE = [[
--- Tubes: what goes in comes out.
--
-- They never leak.

local other = require "other"

---@class net.tube
local tube = {
	--- how many there are
	COUNT = 3,
	old = other.new,
}

--- What `tube.open` takes.
---@class net.tube.conf
--- Where it leads.
---@field to string
--- Bytes it holds; 1,024 by
--- default. Too few block; too many cost memory.
---@field room? integer
---@field take fun(self: net.tube, kind: "a"|"b"): any what comes out

--- An open tube.
---@class net.tube.handle
---@field fd integer? nil once it is closed
---@field private secret integer
local handle = {}

--- Opens a tube. There may be many.
---
--- Raises when `to` is nowhere.
---@async
---@param conf net.tube.conf where to
---@param limit integer? milliseconds; 5000 by default, not less
---@return net.tube.handle? handle
---@return string? err "timeout": it took too
---  long
function tube.open(conf, limit)
end

--- Sends something through.
---@param thing string|string[] what
---@return boolean ok
---@type fun(thing: string|string[]): boolean
tube.send = other.maker("send")

--- Shuts it.
function handle:close()
end

tube.shut = handle.close

return tube
]]

local OTHER = [[
--- Others.

local other = {}

--- Makes one.
function other.make()
end

other.new = other.make

return other
]]

local PAGE = [[
# net.tube

<!-- `make docs` writes this page from lua/net/tube.lua: change the text there. -->

```lua
local tube = require "net.tube"
```

Tubes: what goes in comes out.

They never leak.

| function | |
|---|---|
| [`tube.open`](#tubeopen) *waits* | Opens a tube. |
| [`tube.send`](#tubesend) | Sends something through. |

| value | is | |
|---|---|---|
| `tube.COUNT` | 3 | how many there are |

### tube.open

`tube.open(conf, limit?)` → `handle, err` *[waits](README.md#waits)*

Opens a tube. There may be many.

| parameter | type | default | |
|---|---|---|---|
| `conf` | [`net.tube.conf`](#class-nettubeconf) | required | where to |
| `limit` | `integer` | 5000 | milliseconds, not less |

Returns:

- `handle`, [`net.tube.handle`](#class-nettubehandle) or nil

Errors:

- `err`, `string`: "timeout": it took too long
- Raises when `to` is nowhere.

### tube.send

`tube.send(thing)` → `ok`

Sends something through.

| parameter | type | |
|---|---|---|
| `thing` | `string` or list of `string` | what |

Returns:

- `ok`, `boolean`

## Other names

| other name | of |
|---|---|
| `tube.old` | [`other.make`](other.md#othermake) |
| `tube.shut` | [`handle:close`](#handleclose) |

## Class net.tube.conf

What `tube.open` takes.

| option | type | default | |
|---|---|---|---|
| `to` | `string` | required | Where it leads. |
| `room` | `integer` | 1,024 | Bytes it holds. Too few block; too many cost memory. |
| `take` | `fun(self: net.tube, kind: "a"\|"b"): any` | required | what comes out |

## Class net.tube.handle

An open tube.

| field | type | |
|---|---|---|
| `fd` | `integer` or nil | nil once it is closed |

### handle:close

`handle:close()`

Shuts it.
]]

describe("a page of the reference", function()
	it("shows functions, values, options and classes", function()
		local file = parse(SOURCE)
		local other = parse(OTHER, "lua/other.lua")
		other.name = "other"
		assert.equal(PAGE, markdown.page(file, markdown.links({ file, other })))
	end)

	it("shows methods that are fields, and a module that is a function", function()
		local file = parse([[
--- Codecs.

---@class net.tube
--- Makes bytes.
---@field encode fun(self: net.coder, value: any, raw?: boolean): string, integer?
local tube = native()
return tube
]])
		local page = markdown.page(file, markdown.links({ file }))
		assert.truthy(page:find("`coder:encode(value, raw?)` → `string, integer?`\n\nMakes bytes.", 1, true))

		file = parse("--- Tubes.\n\n--- Makes one.\n---@param name string its name\nreturn function(name)\nend\n")
		page = markdown.page(file, markdown.links({ file }))
		assert.truthy(page:find("### tube\n\n`tube(name)`\n\nMakes one.", 1, true))
	end)

	it("takes the default out of a text", function()
		local function split(text)
			return { markdown.split_default(text) }
		end
		assert.same({ "5000", "milliseconds. Too short fails." }, split("milliseconds; 5000 by default. Too short fails."))
		assert.same({ "1,024", "" }, split("1,024 by default"))
		assert.same({ "the other's", "bytes, 1 to 2" }, split("bytes, 1 to 2; the other's by default"))
		assert.same({ nil, "bytes" }, split("bytes"))
	end)

	it("leads to places that are there", function()
		local anchors, links, count = {}, {}, 0
		local names = { "README" }
		for _, module in ipairs(dofile("tools/docs/modules.lua")) do
			names[#names + 1] = markdown.module_name(module.path)
		end
		for _, name in ipairs(names) do
			local page = name .. ".md"
			anchors[page] = true
			for line in io.lines("docs/reference/" .. page) do
				local heading = line:match("^#+ (.*)$")
				if heading then
					anchors[page .. "#" .. heading:lower():gsub("[^%w _-]", ""):gsub(" ", "-")] = true
				end
				for address in line:gmatch("%]%(([^)]+)%)") do
					links[address:find("^#") and page .. address or address] = page .. ": " .. line
				end
			end
		end
		links["../../README.md"] = nil
		for address, where in pairs(links) do
			assert.is_true(anchors[address], address .. " in " .. where)
			count = count + 1
		end
		assert.is_true(count > 100, count)
	end)

	it("is the one that tools/make-reference has written, or the check fails", function()
		finally(shell.clean)
		local function check()
			return shell.command(("'%s' tools/make-reference --check"):format(shell.lua))
		end
		local copied = os.execute(("cp -r '%s/lua' '%s/tools' '%s'"):format(shell.root, shell.root, shell.dir))
		assert.truthy(copied == true or copied == 0)
		assert.equal(0, shell.command(("'%s' tools/make-reference"):format(shell.lua)).status)
		assert.equal(0, check().status)
		shell.write("docs/reference/silly.time.md", "# Time\n")
		shell.write("docs/reference/gone.md", "# Gone\n")
		local result = check()
		assert.equal(1, result.status)
		assert.equal(
			"docs/reference/gone.md is the page of no public module\n"
				.. "docs/reference/silly.time.md is not what tools/make-reference writes: make docs\n",
			result.err
		)
	end)
end)

describe("annotations", function()
	--- All that is wrong with a file of these lines.
	local function problems(...)
		local file = parse(table.concat({ ... }, "\n"))
		local found = {}
		local function complain(line, text)
			found[#found + 1] = line .. ": " .. text
		end
		lint.every(file, lint.declared({ file }), complain)
		lint.public(file, function(name)
			return name ~= "unheard"
		end, complain)
		return found
	end

	it("are fine where nothing is missing", function()
		local file = parse(SOURCE)
		local function complain(line, text)
			error(line .. ": " .. text)
		end
		lint.every(file, lint.declared({ file }), complain)
	end)

	it("must be well formed", function()
		assert.same({ "1: unknown annotation @parm", "2: malformed type: ')' wanted near ''" }, problems(
			"---@parm x integer",
			"---@type (string",
			"local x = 1"
		))
	end)

	it("must name types that are declared", function()
		assert.same({ "3: no type is called net.tub" }, problems(
			"---@class net.tube",
			"",
			"---@type table<string, net.tub|net.tube>",
			"local x = {}"
		))
	end)

	it("must name the parameters of the function, in order", function()
		assert.same({ "2: f has no parameter b here" }, problems(
			"---@param c string",
			"---@param b string",
			"---@param d string",
			"local function f(a, b, c, d)",
			"end"
		))
		assert.same({ "2: send has no parameter thing here" }, problems(
			"--- Sends.",
			"---@param thing string what",
			"---@type fun(think: string)",
			"tube.send = make()",
			"return tube"
		))
	end)

	it("must explain all that is public", function()
		assert.same({
			"4: unheard has no sentence that says what it does",
			"1: unheard: nothing says what a is",
			"2: unheard: nothing says what b is by default",
			"4: unheard: no ---@param c",
			"3: unheard: a result has no name",
			"4: unheard: no ---@async",
			"4: unheard is not in the README",
		}, problems(
			"---@param a string",
			"---@param b string? what it is",
			"---@return string",
			"function tube.unheard(a, b, c)",
			"	local task = scheduler.task(name)",
			"	return task",
			"end",
			"return tube"
		))
	end)

	it("must say what a function returns, and why it may return nothing", function()
		assert.same({
			"3: one: no ---@return",
			"8: two returns nothing",
			"12: three: nothing says what err can be",
		}, problems(
			"local tube = {}",
			"--- One.",
			"function tube.one()",
			"	return ended",
			"end",
			"--- Two.",
			"---@return string text",
			"function tube.two()",
			"end",
			"--- Three.",
			"---@return string? text",
			"---@return string? err",
			"function tube.three()",
			"	return text",
			"end",
			"return tube"
		))
	end)

	it("must agree with each other on a function that is made elsewhere", function()
		assert.same({ "4: send: its ---@type has other parameters or results" }, problems(
			"--- Sends.",
			"---@param thing string what",
			"---@type fun(thing: string): boolean",
			"tube.send = make()",
			"return tube"
		))
	end)

	it("must say what too little and too much of an option does", function()
		assert.same({
			"2: nothing says what net.conf.a is",
			"2: nothing says what net.conf.a is by default",
			"3: nothing says what too little and too much of net.conf.b does",
		}, problems(
			"---@class net.conf",
			"---@field a? string",
			"---@field b? integer bytes; 1 by default"
		))
	end)
end)

describe("the options of cluster.serve", function()
	local file = annotations.read("lua/silly/internal/settings.lua")

	--- With commas, as a reader would want it.
	local function written(number)
		local text = ("%d"):format(number)
		return number < 10000 and text or (text:reverse():gsub("%d%d%d", "%0,"):reverse():gsub("^,", ""))
	end

	--- Default, least and most of each number, as the code has them.
	local function numbers()
		local found, count = {}, 0
		for _, item in ipairs(file.items) do
			if item.owner == "NUMBERS" then
				local source = item.value:match("^%b{}"):gsub("LONGEST_TIMEOUT", "24 * 3600 * 1000")
				found[item.name], count = (loadstring or load)("return " .. source)(), count + 1
			end
		end
		assert.equal(14, count)
		return found
	end

	it("are explained with the defaults and ranges that they have", function()
		local readme = assert(io.open("README.md")):read("*a")
		for option, range in pairs(numbers()) do
			local text
			for _, class in ipairs(file.classes) do
				for _, field in ipairs(class.name == "silly.net.cluster.conf" and class.comment.fields or {}) do
					text = field.name == option and table.concat(field.text, " ") or text
				end
			end
			assert.equal(written(range[1]), (markdown.split_default(text)), option)
			local bounds = ("%s to %s"):format(written(range[2]), written(range[3]))
			assert.truthy(text:find(bounds, 1, true), option .. ": " .. bounds)
			local row = ("\n| `%s` | %s |"):format(option, written(range[1]))
			assert.truthy(readme:find(row, 1, true), row)
		end
	end)
end)

describe("declarations of the native library", function()
	local classes = match.classes({ parse([[
---@class core
---@field version string
---@field events core.events
---@field only_here? fun(): boolean
local core = {}

---@class core.events
---@field ALARM integer

function core.now() end
]]) })

	it("fit what is there", function()
		local core = { version = "1", events = { ALARM = 2 }, now = os.time }
		assert.same({}, match.compare(classes, "core", core))
		core.only_here = os.time
		assert.same({}, match.compare(classes, "core", core))
	end)

	it("tell what is missing on either side, or of another type", function()
		local core = { version = 1, events = { ALARM = 2, AWAKE = 1 }, later = os.time, only_here = 1 }
		assert.same({
			"core.events.AWAKE is there, but not declared",
			"core.later is there, but not declared",
			"core.now is declared, but not there",
			"core.only_here is a number, and declared as function",
			"core.version is a number, and declared as string",
		}, match.compare(classes, "core", core))
	end)

	it("are no module", function()
		-- Neither from here nor from where tools/install puts what is in lua/.
		for template in package.path:gmatch("[^;]+") do
			local path = template:gsub("%?", "silly/core")
			assert.is_nil(io.open(path), path)
		end
	end)
end)
