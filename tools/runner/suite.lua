--- The tests of one file: what `describe`, `it` and the like build, and how it is run.
--
-- As with busted the body of a `describe` runs when its turn comes, after what was set up around it; an
-- error that is no test's own counts by itself; and what a file has changed of the globals and the
-- loaded modules is undone behind it.

local failure = require "tools.runner.failure"
local report = require "tools.runner.report"

local suite = {}

--- The block whose body is running, and whether a test is.
local current, in_test
--- What a test calls when it is over.
local finally
--- Whether a test is wanted, by its full name.
local is_wanted

local function place()
	local info = debug.getinfo(3, "Sl")
	return ("%s:%d"):format(info.short_src, info.currentline)
end

local function explain(problem)
	local kind, text = failure.kind(problem), failure.text(problem)
	if kind ~= "pending" then
		-- What is below the test is the runner.
		text = debug.traceback(text, 2):gsub("\n\t%[C%]: in [^\n]*xpcall.*", "")
	end
	return { kind = kind, text = text }
end

--- Calls a function: nil, or what went wrong.
local function attempt(fn)
	local ok, problem = xpcall(fn, explain)
	return not ok and problem or nil
end

--- Does something that is no test: an assertion that fails in there is an error, too.
---@return boolean fine
local function attempt_beside(fn, name, where)
	local problem = attempt(fn)
	if problem then
		report.note("error", name, where, problem.text)
	end
	return not problem
end

local function new_block(name, where, body)
	return {
		parent = current, name = name, where = where, body = body,
		children = {}, setup = {}, teardown = {}, before_each = {}, after_each = {},
	}
end

local function full_name(element)
	local parent = element.parent and full_name(element.parent) or ""
	return parent .. (parent ~= "" and element.name ~= "" and " " or "") .. element.name
end

--- Raises unless a spec may call a word here; with `assert`, which is luassert's, it would be a failure.
local function demand(allowed, message)
	if not allowed then
		error(message, 3)
	end
end

local function add(element)
	demand(not in_test, "a test cannot define others")
	element.parent = current
	table.insert(current.children, element)
end

-- What a spec calls -----------------------------------------------------------------------------

local words = {}

function words.describe(name, body)
	add(new_block(name, place(), body))
end

function words.it(name, body)
	add({ name = name, where = place(), test = body })
end

--- Within a test it ends that one, elsewhere it defines one that is not run.
function words.pending(name)
	if in_test then
		failure.pending(name)
	end
	add({ name = name, where = place(), pending = true })
end

function words.finally(fn)
	demand(in_test, "finally belongs into a test")
	finally = fn
end

for _, hook in ipairs { "setup", "teardown", "before_each", "after_each" } do
	words[hook] = function(fn)
		demand(not in_test, "a test has no " .. hook)
		table.insert(current[hook], fn)
	end
end

-- How it is run ---------------------------------------------------------------------------------

--- Runs all functions of a list, whatever they do.
local function run_hooks(hooks, name, where)
	local fine = true
	for _, fn in ipairs(hooks) do
		fine = attempt_beside(fn, name, where) and fine
	end
	return fine
end

--- The before_each of a block and of those around it, from the outermost on; true, or false and the
--- block where one has failed.
local function run_before(block, name, where)
	if block.parent then
		local fine, last = run_before(block.parent, name, where)
		if not fine then
			return fine, last
		end
	end
	return run_hooks(block.before_each, name, where), block
end

local function run_after(block, name, where)
	while block do
		run_hooks(block.after_each, name, where)
		block = block.parent
	end
end

local function run_test(test)
	local name, where = full_name(test), test.where
	if not is_wanted(name) then
		return
	elseif test.pending then
		report.note("pending", name, where)
		return
	end
	local fine, block = run_before(test.parent, name, where)
	if fine then
		in_test, finally = true, nil
		local problem = attempt(test.test)
		in_test = false
		local kind = problem and problem.kind or "success"
		-- Whatever the test was, an error in there is one more thing to know.
		if not finally or attempt_beside(finally, name, where) or kind ~= "success" then
			report.note(kind, name, where, problem and problem.text)
		end
	end
	run_after(block, name, where)
end

local function run_block(block)
	local name, where = full_name(block), block.where
	current = block
	local defined = attempt_beside(block.body, name, where)
	if defined then
		if run_hooks(block.setup, name, where) then
			for _, child in ipairs(block.children) do
				if child.body then
					run_block(child)
				else
					run_test(child)
				end
			end
		end
		run_hooks(block.teardown, name, where)
	end
	current = block.parent
end

--- What there is in a table, without its metatable's doing.
local function entries(of)
	local copy = {}
	for key, value in next, of do
		copy[key] = value
	end
	return copy
end

--- Makes a table what it was.
local function restore(of, copy)
	for key in next, entries(of) do
		rawset(of, key, copy[key])
	end
	for key, value in next, copy do
		rawset(of, key, value)
	end
end

--- Runs a file.
---@param path string
---@param wanted fun(name: string): boolean which of its tests
function suite.run(path, wanted)
	local globals, loaded = entries(_G), entries(package.loaded)
	is_wanted = wanted
	current = nil
	run_block(new_block("", path, function()
		for word, fn in next, words do
			rawset(_G, word, fn)
		end
		assert(loadfile(path))()
	end))
	restore(package.loaded, loaded)
	restore(_G, globals)
end

return suite
