--- A process's book: what it asks and what it carries out, one line each, in files that are complete
--- up to the moment of a kill. The ledger compares the books of all.
--
--   ? 17                question 17 of this book is about to be asked
--   ! 17 answered       it has returned like this; a tab and a remark may follow
--   x 3.17              question 17 of book 3 is about to be carried out
--   .                   all has returned, the process ends in order

local time = require "silly.time"

local book = {}

--- Lines of one file, which is removed once it has been read: a book has no end.
local LINES = 50000

local function path(dir, number, part)
	return ("%s/%d-%d"):format(dir, number, part)
end

local Book = {}
Book.__index = Book

--- Goes on in the next file. Without a descriptor for it the old one is used on.
function Book:turn()
	local file = io.open(path(self.dir, self.number, self.part + 1), "ab")
	if file then
		-- So that a line is one system call: what the kernel has, no kill takes back.
		file:setvbuf("no")
		if self.file then
			self.file:close()
		end
		self.file, self.part, self.lines = file, self.part + 1, 0
	end
end

--- Begins a book.
---@param dir string
---@param number integer no other book in there has
function book.open(dir, number)
	local self = setmetatable({ dir = dir, number = number, part = 0, count = 0, open = 0 }, Book)
	self:turn()
	assert(self.file, "no book can be kept in " .. dir)
	return self
end

function Book:write(line)
	self.file:write(line)
	self.lines = self.lines + 1
	if self.lines >= LINES then
		self:turn()
	end
end

--- Notes the next question: its number, and its id, with which its body must begin.
function Book:ask()
	self.count, self.open = self.count + 1, self.open + 1
	self:write("? " .. self.count .. "\n")
	return self.count, self.number .. "." .. self.count .. ":"
end

--- Notes what has become of one.
function Book:returned(number, outcome, remark)
	self.open = self.open - 1
	self:write("! " .. number .. " " .. outcome .. "\t" .. remark .. "\n")
end

--- Notes that a request is about to be handled. What bears no id is a stranger's.
function Book:executed(body)
	local id = body:match("^(%d+%.%d+):")
	if id then
		self:write("x " .. id .. "\n")
	end
end

--- Ends the book, once everything asked has returned.
function Book:finish()
	while self.open > 0 do
		time.sleep(1)
	end
	self:write(".\n")
	self.file:close()
end

local Reader = {}
Reader.__index = Reader

--- Reads a book while it is written. It need not be there yet.
function book.reader(dir, number)
	return setmetatable({ dir = dir, number = number, part = 1, rest = "" }, Reader)
end

--- Tells a ledger what is in complete lines; what is left of a text.
function Reader:tell(ledger, text)
	local complete = 0
	for kind, words, stop in text:gmatch("(.) ?([^\n]*)\n()") do
		if kind == "?" then
			ledger:asked(self.number, tonumber(words))
		elseif kind == "!" then
			local number, outcome, remark = words:match("^(%d+) ([^\t]*)\t(.*)$")
			ledger:returned(self.number, tonumber(number), outcome, remark)
		elseif kind == "x" then
			local asker, number = words:match("^(%d+)%.(%d+)$")
			ledger:executed(tonumber(asker), tonumber(number))
		else
			ledger:finished(self.number)
		end
		complete = stop - 1
	end
	return text:sub(complete + 1)
end

--- Gives a ledger what is new.
function Reader:read(ledger)
	self.file = self.file or io.open(path(self.dir, self.number, self.part), "rb")
	while self.file do
		-- Looked for first: once there is a next file, nothing is added to this one.
		local following = io.open(path(self.dir, self.number, self.part + 1), "rb")
		self.rest = self:tell(ledger, self.rest .. self.file:read("*a"))
		if not following then
			return
		end
		self:close()
		self.file, self.part = following, self.part + 1
	end
end

--- Removes what has been read.
function Reader:close()
	if self.file then
		self.file:close()
		os.remove(path(self.dir, self.number, self.part))
		self.file = nil
	end
end

return book
