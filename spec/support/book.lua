--- A process's book: what it asks and what it carries out, one line each, in a file that is complete
--- up to the moment of a kill. The ledger compares the books of all.
--
--   ? 17            question 17 of this book is about to be asked
--   ! 17 answered   it has returned like this
--   x 3.17          question 17 of book 3 is about to be carried out
--   .               all has returned, the process ends in order

local book = {}

local Book = {}
Book.__index = Book

--- Begins a book.
---@param dir string
---@param number integer no other book in there has
function book.open(dir, number)
	local file = assert(io.open(dir .. "/" .. number, "ab"))
	-- So that a line is one system call: what the kernel has, no kill takes back.
	file:setvbuf("no")
	return setmetatable({ number = number, file = file, count = 0 }, Book)
end

--- Notes the next question: its number, and its id, with which its body must begin.
function Book:ask()
	self.count = self.count + 1
	self.file:write("? " .. self.count .. "\n")
	return self.count, self.number .. "." .. self.count .. ":"
end

--- Notes what has become of one.
function Book:returned(number, outcome)
	self.file:write("! " .. number .. " " .. outcome .. "\n")
end

--- Notes that a request is about to be handled.
function Book:executed(body)
	self.file:write("x " .. body:match("^[^:]*") .. "\n")
end

function Book:finish()
	self.file:write(".\n")
	self.file:close()
end

local Reader = {}
Reader.__index = Reader

--- Reads a book while it is written. It need not be there yet.
function book.reader(dir, number)
	return setmetatable({ path = dir .. "/" .. number, number = number, rest = "" }, Reader)
end

--- Gives a ledger what is new.
function Reader:read(ledger)
	self.file = self.file or io.open(self.path, "rb")
	local text = self.file and self.file:read("*a") or ""
	local complete = 0
	text = self.rest .. text
	for kind, words, stop in text:gmatch("(.) ?([^\n]*)\n()") do
		if kind == "?" then
			ledger:asked(self.number, tonumber(words))
		elseif kind == "!" then
			local number, outcome = words:match("^(%d+) (.*)$")
			ledger:returned(self.number, tonumber(number), outcome)
		elseif kind == "x" then
			local asker, number = words:match("^(%d+)%.(%d+)$")
			ledger:executed(tonumber(asker), tonumber(number))
		else
			ledger:finished(self.number)
		end
		complete = stop - 1
	end
	self.rest = text:sub(complete + 1)
end

return book
