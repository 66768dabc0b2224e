--- Every block of code in README.md and docs/ runs, and prints what the page says; every link leads to
--- something.

local page = require "spec.support.page"

local function contents(path)
	local file = assert(io.open(path, "rb"))
	local text = file:read("*a")
	file:close()
	return text
end

--- The pages whose blocks are run: README.zh-CN.md has the same ones, which tools/check-readmes sees to.
local function pages()
	local list = { "README.md" }
	local listing = assert(io.popen("find docs -name '*.md' | sort"))
	for path in listing:lines() do
		list[#list + 1] = path
	end
	listing:close()
	return list
end

describe("the blocks of", function()
	for _, path in ipairs(pages()) do
		it(path .. " run, and print what it says", function()
			local ok, problem = pcall(page.run, contents(path))
			if not ok then
				error(path .. ", " .. problem, 0)
			end
		end)
	end
end)

--- What a heading is called in a link, as far as our pages have such.
local function anchor_of(heading)
	return (heading:lower():gsub("[^%w%-_ ]", ""):gsub(" ", "-"))
end

local function exists(path)
	local file = io.open(path)
	return file ~= nil and file:close()
end

--- A page without its blocks of code.
local function prose(path)
	return (("\n" .. contents(path)):gsub("\n```.-\n```%f[\n]", "\n"))
end

local function has_anchor(path, anchor)
	for heading in prose(path):gmatch("\n#+ ([^\n]+)") do
		if anchor_of(heading) == anchor then
			return true
		end
	end
	return false
end

describe("the links of", function()
	local list = pages()
	list[#list + 1] = "README.zh-CN.md"
	for _, path in ipairs(list) do
		it(path .. " lead to what is there", function()
			local folder = path:match("^(.*/)[^/]*$") or ""
			for target in prose(path):gmatch("%]%(([^)%s]+)%)") do
				local file, anchor = target:match("^([^#]*)#?(.*)$")
				if not target:find("^%a+:") then
					local found = file == "" and path or folder .. file
					assert.truthy(exists(found), target)
					assert.truthy(anchor == "" or has_anchor(found, anchor), target)
				end
			end
		end)
	end
end)

describe("a page", function()
	local function block(language, text, mark)
		return (mark and "<!-- " .. mark .. " -->\n" or "") .. "```" .. language .. "\n" .. text .. "\n```\n"
	end

	local function fails(text, wanted)
		local ok, problem = pcall(page.run, text)
		assert.is_false(ok, "nothing is wrong with " .. text)
		assert.truthy(problem:find(wanted, 1, true), problem)
	end

	it("fails with what a block fails with", function()
		fails(block("lua", "error('boom')"), "boom")
		fails(block("sh", "false"), "line 1: ended with status 1")
	end)

	it("fails when something else is printed", function()
		local script = block("lua", "print('one') print('two')")
		assert.equal(2, page.run(script .. block("text", "one\ntwo")))
		fails(script .. block("text", "one"), "line 4: printed \"two\", which is not promised")
		fails(script .. block("text", "two\none"), "promised \"two\", printed \"one\"")
		fails(script .. block("text", "one\ntwo\nthree"), "promised \"three\", printed \"nothing more\"")
		fails(script .. block("text", "...\nthree"), "promised \"three\"")
		page.run(script .. block("text", "...\ntwo"))
	end)

	it("lets ports, words and the order of two processes differ", function()
		page.run(block("lua", "print('127.0.0.1:43210', 'x')") .. block("text", "127.0.0.1:55555\t<word>"))
		fails(block("lua", "print('127.0.0.1:8889')") .. block("text", "127.0.0.1:8888"), "promised")
		page.run(block("lua", "print('[b] 1') print('[a] 2')") .. block("text", "[a] 2\n[b] 1"))
		fails(block("lua", "print('[a] 1') print('[a] 2')") .. block("text", "[a] 2\n[a] 1"), "promised")
	end)

	it("fails on a block that is neither run nor marked", function()
		fails(block("yaml", "x: 1"), "neither run nor marked")
		fails(block("text", "output of nothing"), "neither what a block has printed nor marked")
		fails(block("lua", "-- nobody.lua"), "nothing uses the file nobody.lua")
		assert.equal(0, page.run(block("yaml", "x: 1", "not run: it is no program")))
	end)

	it("leaves out what needs something that is not there, with what it prints", function()
		page.run(block("lua", "require 'no.such.thing'", "needs: no.such.thing") .. block("text", "hello"))
		fails(block("lua", "error('boom')", "needs: " .. _VERSION), "boom")
	end)

	it("has terminals that run on", function()
		local endless = block("sh", "echo one\nwhile read -r line < fifo; do echo $line; done", "terminal: x")
		page.run(block("sh", "mkfifo fifo") .. endless .. block("text", "one", "terminal: x")
			.. block("sh", "echo two > fifo") .. block("text", "two", "terminal: x"))
	end)
end)
